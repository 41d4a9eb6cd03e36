import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

/**
 * Which rooms a room may import from. Imports go one way only, so that every room can be read, tested and replaced
 * knowing only what stands before it in this list.
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  platform: [],
  protocol: [],
  config: ['platform', 'protocol'],
  log: ['platform', 'protocol', 'config'],
  replication: ['platform', 'protocol', 'config', 'log'],
  metadata: ['platform', 'protocol', 'config', 'log', 'replication'],
  controller: ['platform', 'protocol', 'config', 'log', 'replication', 'metadata'],
  coordinator: ['platform', 'protocol', 'config', 'log', 'replication', 'metadata', 'controller'],
  security: ['platform', 'protocol', 'config', 'metadata'],
  broker: ['platform', 'protocol', 'config', 'log', 'replication', 'metadata', 'controller', 'coordinator', 'security'],
  testing: ['platform', 'protocol', 'config', 'log', 'replication', 'metadata', 'controller', 'coordinator', 'broker'],
  cli: ['platform', 'protocol', 'config', 'replication', 'metadata', 'broker'],
}

/** The world, which only `src/platform` may touch (and `src/cli` its process and standard streams). */
const BANNED_MODULES = [
  'fs',
  'fs/promises',
  'net',
  'tls',
  'dgram',
  'http',
  'https',
  'timers',
  'timers/promises',
  'child_process',
  'os',
  'process',
  'worker_threads',
  'perf_hooks',
]
const BANNED_CALLS: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bDate\.now\(|\bnew Date\(\)/, 'reads the clock'],
  [/\bperformance\.now\(/, 'reads the clock'],
  [/\bMath\.random\(/, 'draws random numbers'],
  [/\b(setTimeout|setInterval|setImmediate)\(/, 'sets a timer'],
  // `process.roles` is a setting; what has a property of that name is something else, but for the global object.
  [/(?:(?<![.\w])|globalThis\.)process\.(?!platform\b|versions\b|roles\b)\w+/, 'reaches for the process'],
  [/\bcrypto\.random|\brandom(Bytes|UUID|Int)\(/, 'draws random numbers'],
]
const MAX_LINES = 700

interface SourceFile {
  path: string
  room: string
  text: string
  imports: string[]
}

function sourceFiles(): SourceFile[] {
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'src'], { cwd: root })
  return list
    .toString()
    .split('\n')
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.includes('testkit'))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8')
      const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!)
      return { path, room: path.split('/')[1]!, text, imports }
    })
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
}

const files = sourceFiles()

describe('the source tree', () => {
  test('has files to check, in known rooms only', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(files.filter((file) => !(file.room in MAY_IMPORT)).map((file) => file.path)).toEqual([])
  })

  test('imports in one direction only', () => {
    const wrong: string[] = []
    for (const file of files) {
      for (const target of file.imports.filter((name) => name.startsWith('.'))) {
        const path = normalize(join(dirname(file.path), target))
        const room = relative('src', path).split('/')[0]!
        if (room !== file.room && !MAY_IMPORT[file.room]?.includes(room)) wrong.push(`${file.path} imports ${path}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('touches the world in src/platform only', () => {
    const wrong: string[] = []
    for (const file of files.filter((file) => file.room !== 'platform')) {
      const banned = file.room === 'cli' ? BANNED_MODULES.filter((name) => name !== 'process') : BANNED_MODULES
      for (const name of file.imports) {
        if (banned.includes(name.replace(/^node:/, ''))) wrong.push(`${file.path} imports ${name}`)
      }
      const code = withoutComments(file.text)
      for (const [pattern, what] of BANNED_CALLS) {
        if (file.room === 'cli' && what === 'reaches for the process') continue
        const match = pattern.exec(code)
        if (match) wrong.push(`${file.path} ${what}: ${match[0]}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('has no file too long to be read in one go', () => {
    const long = files.filter((file) => file.text.split('\n').length > MAX_LINES)
    expect(long.map((file) => file.path)).toEqual([])
  })

  test('depends on nothing that runs a script at installation', () => {
    const lock: { packages: Record<string, { hasInstallScript?: boolean }> } = JSON.parse(
      readFileSync(join(root, 'package-lock.json'), 'utf8'),
    )
    const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript)
    expect(scripted.map(([name]) => name)).toEqual([])
  })
})
