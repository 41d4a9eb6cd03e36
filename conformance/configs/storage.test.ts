import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../../src/cli/main.ts'
import { freshDir } from '../harness/cache.ts'
import { runKafkaTool } from '../harness/oracle.ts'

const DIRECTORY_ID = 'DeLnr5L0QSe3ED5y-hyOGA'
const INITIAL = `1@127.0.0.1:9093:${DIRECTORY_ID},2@127.0.0.1:9193:O5EBXi1KSySUkPUZeOAdjA`

interface Case {
  readonly title: string
  readonly properties: readonly string[]
  readonly flags: readonly string[]
}

const DYNAMIC = ['controller.quorum.bootstrap.servers=127.0.0.1:9093']
const FIXED = ['controller.quorum.voters=1@127.0.0.1:9093']
const RENAMED = [
  ...DYNAMIC,
  'listeners=PLAINTEXT://127.0.0.1:9092,Inner://:9093',
  'controller.listener.names=INNER',
  'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,Inner:PLAINTEXT',
]
const SMALL = RENAMED.map((line) => line.replace('INNER', 'Inner'))
const CASES: readonly Case[] = [
  { title: 'initial controllers', properties: DYNAMIC, flags: ['--initial-controllers', INITIAL] },
  { title: 'standalone', properties: DYNAMIC, flags: ['-s'] },
  { title: 'no initial controllers', properties: DYNAMIC, flags: ['-N'] },
  { title: 'a fixed quorum', properties: FIXED, flags: [] },
  { title: 'an older release', properties: FIXED, flags: ['--release-version', '3.9'] },
  { title: 'a release of 4.0', properties: FIXED, flags: ['-r', '4.0'] },
  { title: 'a release of 4.1', properties: FIXED, flags: ['-r', '4.1-IV1'] },
  { title: 'features', properties: DYNAMIC, flags: ['-s', '-f', 'group.version=0', '-f', 'transaction.version=1'] },
  { title: 'one directory', properties: [...DYNAMIC, 'log.dirs=a'], flags: ['-s', '-g'] },
  { title: 'a controller listener of another name and any host', properties: RENAMED, flags: ['-s'] },
  { title: 'a controller listener in small letters', properties: SMALL, flags: ['-s'] },
  { title: 'no flag for a dynamic quorum', properties: DYNAMIC, flags: [] },
  { title: 'a flag against fixed voters', properties: FIXED, flags: ['-s'] },
  { title: 'a feature that nobody knows', properties: FIXED, flags: ['-f', 'flying.version=1'] },
  { title: 'a level that nobody knows', properties: FIXED, flags: ['-f', 'group.version=9'] },
  { title: 'kraft.version against fixed voters', properties: FIXED, flags: ['-f', 'kraft.version=1'] },
  { title: 'a release that nobody knows', properties: FIXED, flags: ['-r', '9.9'] },
]

function configFile(home: string, { properties }: Case): string {
  mkdirSync(home, { recursive: true })
  const path = join(home, 'server.properties')
  const lines = [
    'node.id=1',
    'process.roles=broker,controller',
    'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
    'controller.listener.names=CONTROLLER',
    `log.dirs=${join(home, 'data')},${join(home, 'more')}`,
    ...properties.map((line) => line.replace('log.dirs=', `log.dirs=${home}/`)),
  ]
  writeFileSync(path, lines.join('\n'))
  return path
}

/** The batches of a checkpoint without their times, and without the ids that each run makes up. */
function comparable(name: string, bytes: Buffer, ids: ReadonlyMap<string, string>): string {
  if (name === 'meta.properties') {
    let text = bytes.toString('latin1').replace(/^#.*\n/gm, '')
    for (const [id, symbol] of ids) text = text.replaceAll(id, symbol)
    return text
  }
  const copy = Buffer.from(bytes)
  for (let at = 0; at < copy.length; at += 12 + copy.readInt32BE(at + 8)) {
    copy.fill(0, at + 17, at + 21)
    copy.fill(0, at + 27, at + 43)
  }
  // The time in the header of a voters snapshot, and the directory ids of the voters.
  if (name.includes('__cluster_metadata')) copy.fill(0, 73, 81)
  let hex = copy.toString('hex')
  for (const [id, symbol] of ids) hex = hex.replaceAll(Buffer.from(id, 'base64url').toString('hex'), symbol)
  return hex
}

/** Every file below `home`, by its path. */
function filesOf(home: string): Record<string, string> {
  const names = readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'server.properties')
    .map((entry) => join(entry.parentPath, entry.name))
  const ids = new Map<string, string>()
  for (const path of names.filter((name) => name.endsWith('meta.properties')).sort()) {
    const id = /^directory\.id=(.*)$/m.exec(readFileSync(path, 'utf8'))?.[1]
    if (id !== undefined && id !== DIRECTORY_ID) ids.set(id, `<${path.slice(home.length)}>`)
  }
  return Object.fromEntries(
    names.map((path) => {
      const name = path.slice(home.length + 1)
      return [name, comparable(name.endsWith('meta.properties') ? 'meta.properties' : name, readFileSync(path), ids)]
    }),
  )
}

describe('storage format leaves what the storage tool of Apache Kafka leaves', () => {
  test.each(CASES)('$title', async (each) => {
    const home = freshDir('storage')
    const [ours, theirs] = [join(home, 'ours'), join(home, 'kafka')]
    const args = (place: string) => ['format', '-t', 'mine', '-c', configFile(place, each), ...each.flags]
    const lines: string[] = []
    const console = { environment: new Map<string, string>(), out: (line: string) => lines.push(line), err: () => {} }
    const code = await run(['storage', ...args(ours)], console)
    const tool = await runKafkaTool('kafka.tools.StorageTool', args(theirs))
    expect(code, tool.stdout + tool.stderr).toBe(tool.status)
    expect(filesOf(ours)).toEqual(filesOf(theirs))
    const formatting = (text: string) =>
      text
        .split('\n')
        .filter((line) => line.startsWith('Formatting'))
        .sort()
    expect(formatting(lines.join('\n').replaceAll(ours, '<home>'))).toEqual(
      formatting(tool.stdout.replaceAll(theirs, '<home>')),
    )
  })
})

test('storage info prints what the tool prints, about what the other has formatted', async () => {
  const home = freshDir('storage-info')
  const config = configFile(home, CASES[3]!)
  const lines: string[] = []
  const console = { environment: new Map<string, string>(), out: (line: string) => lines.push(line), err: () => {} }
  const inform = async () => {
    lines.length = 0
    const code = await run(['storage', 'info', '-c', config], console)
    const tool = await runKafkaTool('kafka.tools.StorageTool', ['info', '-c', config])
    expect(`${lines.join('\n')}\n`).toBe(tool.stdout)
    expect(code).toBe(tool.status)
    return code
  }
  expect(await inform()).toBe(1)
  mkdirSync(join(home, 'data'))
  expect(await inform()).toBe(1)
  expect(await run(['storage', 'format', '-t', 'mine', '-c', config], console)).toBe(0)
  expect(await inform()).toBe(0)
})
