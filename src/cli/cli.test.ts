import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodePlatform } from '../platform/node-platform.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { parseArguments } from './arguments.ts'
import { consoleLogger } from './console-logger.ts'
import { propertiesFromEnvironment } from './environment.ts'
import { run } from './main.ts'
import { nodeConfig } from './node-properties.ts'
import { addressText, devProperties, formatForCluster, startProperties } from './start.ts'
import { parseInitialVoters } from './storage.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ottla-cli-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function ottla(args: readonly string[], environment: Record<string, string> = {}) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(args, {
    environment: new Map(Object.entries(environment)),
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

function configFile(more = ''): string {
  const path = join(directory, 'server.properties')
  const lines = [
    'node.id=1',
    'process.roles=broker,controller',
    'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
    'controller.listener.names=CONTROLLER',
    'controller.quorum.bootstrap.servers=127.0.0.1:9093',
    `log.dirs=${join(directory, 'data')}`,
    more,
  ]
  writeFileSync(path, lines.join('\n'))
  return path
}

describe('arguments', () => {
  const flags = [
    { name: 'config', short: 'c', takesValue: true },
    { name: 'force', short: 'f', takesValue: false },
  ]

  test('long, short, attached and repeated', () => {
    const args = parseArguments(['a', '--config=x=y', '-c', 'z', '-f', '--', '-c'], flags)
    expect(args.positional).toEqual(['a', '-c'])
    expect(args.values('config')).toEqual(['x=y', 'z'])
    expect([args.value('config'), args.has('force')]).toEqual(['z', true])
  })

  test.each([[['--other']], [['--config']], [['--force=1']], [['-x']]])('refuses %j', (args) => {
    expect(() => parseArguments(args, flags)).toThrow(/option/)
  })
})

test('environment variables map to properties as in the official image', () => {
  const environment = new Map([
    ['KAFKA_LOG_DIRS', '/d'],
    ['KAFKA_A__B', 'underscore'],
    ['KAFKA_A___B', 'dash'],
    ['KAFKA_HEAP_OPTS', '-Xmx1G'],
    ['KAFKA_OPTS', 'x'],
    ['PATH', '/bin'],
  ])
  expect(Object.fromEntries(propertiesFromEnvironment(environment))).toEqual({
    'log.dirs': '/d',
    a_b: 'underscore',
    'a-b': 'dash',
  })
})

test('an address is shown so that it can be copied, IPv6 in brackets', () => {
  expect([addressText('127.0.0.1', 9092), addressText('::', 9092)]).toEqual(['127.0.0.1:9092', '[::]:9092'])
})

describe('the properties of a start', () => {
  const console = (environment: Record<string, string> = {}) => ({
    environment: new Map(Object.entries(environment)),
    out() {},
    err() {},
  })

  test('overrides come before the environment, and that before the file', () => {
    const args = [configFile('num.partitions=1\ndefault.replication.factor=1'), '--override', 'num.partitions=3']
    const environment = { KAFKA_NUM_PARTITIONS: '2', KAFKA_DEFAULT_REPLICATION_FACTOR: '2' }
    const properties = startProperties(args, console(environment), nodePlatform())
    expect([properties.get('num.partitions'), properties.get('default.replication.factor')]).toEqual(['3', '2'])
  })

  test('without a file are those of a node alone on loopback, unless the environment describes the node', () => {
    expect(nodeConfig(startProperties([], console({ KAFKA_HOME: '/opt' }), nodePlatform())).logDirs).toEqual([
      './.ottla',
    ])
    const described = startProperties([], console({ KAFKA_PROCESS_ROLES: 'broker' }), nodePlatform())
    expect([...described.keys()]).toEqual(['process.roles'])
  })

  test('of dev: a port and a place for the data', () => {
    const config = nodeConfig(devProperties(['--port', '7000', '--data', '/d', '--override', 'num.partitions=4']))
    expect(config.listeners.map(({ host, port }) => `${host}:${port}`)).toEqual(['127.0.0.1:7000', '127.0.0.1:7001'])
    expect([config.logDirs, config.get('num.partitions')]).toEqual([['/d'], 4])
    expect(() => devProperties(['--port', '70000'])).toThrow('--port takes a number from 0 to 65535')
  })

  test('that would be less safe than they say are refused', () => {
    const base = devProperties([])
    const secured = new Map([...base, ['listener.security.protocol.map', 'PLAINTEXT:SSL,CONTROLLER:PLAINTEXT']])
    expect(() => nodeConfig(new Map([...base, ['authorizer.class.name', 'a.B']]))).toThrow(
      'authorization is not available',
    )
    expect(() => nodeConfig(secured)).toThrow('only PLAINTEXT is available yet')
  })
})

describe('exit codes', () => {
  test('0 for help and version', async () => {
    for (const args of [['--help'], ['start', '--help'], ['storage', 'format', '-h']]) {
      expect(await ottla(args)).toMatchObject({ code: 0, out: expect.stringContaining('ottla dev [--port N]') })
    }
    expect(await ottla(['--version'])).toMatchObject({ code: 0, out: expect.stringMatching(/^ottla \d+\.\d+\.\d+/) })
  })

  test('2 for a command line that is not understood', async () => {
    for (const args of [[], ['fly'], ['dev', '--wings'], ['storage'], ['storage', 'format'], ['start', 'a', 'b']]) {
      expect(await ottla(args), args.join(' ')).toMatchObject({
        code: 2,
        err: expect.stringContaining('See: ottla --help'),
      })
    }
  })

  test('1 and one line for a start that cannot be', async () => {
    const missing = join(directory, 'none.properties')
    expect(await ottla(['start', missing])).toEqual({
      code: 1,
      out: '',
      err: `ottla: Cannot read ${missing}: no such file`,
    })
    const invalid = await ottla(['start', configFile('num.partitions=many')])
    expect(invalid.err).toBe('ottla: Invalid value many for configuration num.partitions: Not a number of type INT')
    expect(invalid.code).toBe(1)
  })

  test('1 where CLUSTER_ID is not that of the directories', async () => {
    const path = configFile()
    await ottla(['storage', 'format', '-c', path, '-t', 'mine', '--standalone'])
    const { code, err } = await ottla(['start', path], { CLUSTER_ID: 'other' })
    expect([code, err]).toEqual([1, expect.stringContaining('Expected other, but read mine')])
  })
})

test('CLUSTER_ID is the id of a new cluster, and leaves the directory unlocked for the server', () => {
  const data = join(directory, 'data')
  const platform = nodePlatform()
  const config = nodeConfig(devProperties(['--data', data]))
  formatForCluster(platform, config, undefined)
  expect(platform.disk.exists(data)).toBe(false)
  formatForCluster(platform, config, 'mine')
  expect(readFileSync(join(data, 'meta.properties'), 'utf8')).toContain('cluster.id=mine\n')
  const lock = platform.disk.lockDirectory(data)
  expect(lock).toBeDefined()
  lock?.release()
})

test.each([
  ['another spelling', '/../data/', {}],
  ['a link', '-link', {}],
  ['another spelling, as a new node of a cluster', '/', { CLUSTER_ID: 'mine' }],
])('one directory under two names is told as such: %s', async (_, more, environment) => {
  const data = join(directory, 'data')
  mkdirSync(data)
  symlinkSync(data, `${data}-link`)
  const { code, err } = await ottla(['start', configFile(`log.dirs=${data},${data}${more}`)], environment)
  expect([code, err.split('\n').at(-1)]).toEqual([
    1,
    `ottla: ${data} and ${data}${more} are one directory: log.dirs and metadata.log.dir may not name it in two ways`,
  ])
  // Nothing is kept.
  expect(readdirSync(data)).toEqual(['.lock'])
  expect(readFileSync(join(data, '.lock'), 'latin1')).toBe('')
})

describe('storage', () => {
  test('random-uuid', async () => {
    expect((await ottla(['storage', 'random-uuid'])).out).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
  })

  test('format, then info', async () => {
    const path = configFile()
    const data = join(directory, 'data')
    const args = ['storage', 'format', '--config', path, '--cluster-id=mine', '-s']
    expect(await ottla(args)).toEqual({
      code: 0,
      out: `Formatting dynamic metadata voter directory ${data} with metadata.version 4.3-IV0.`,
      err: '',
    })
    expect(readdirSync(data).sort()).toEqual(['__cluster_metadata-0', 'bootstrap.checkpoint', 'meta.properties'])
    expect(readFileSync(join(data, 'meta.properties'), 'utf8')).toContain('cluster.id=mine\n')
    expect(await ottla(args)).toMatchObject({ code: 1, err: expect.stringContaining('is already formatted') })
    expect(await ottla([...args, '-g'])).toMatchObject({ code: 0, out: expect.stringContaining('All of the log') })
    const info = await ottla(['storage', 'info', '-c', path])
    expect(info.code).toBe(0)
    expect(info.out).toMatch(
      new RegExp(
        `^Found log directory:\\n  ${data}\\n\\nFound metadata: \\{cluster.id=mine, directory.id=[\\w-]{22}, node.id=1, version=1\\}\\n$`,
      ),
    )
  })

  test('info on what is missing and what is not formatted', async () => {
    const path = configFile()
    expect(await ottla(['storage', 'info', '-c', path])).toMatchObject({
      code: 1,
      out: `Found problem:\n  ${join(directory, 'data')} does not exist\n`,
    })
  })

  test('says which flag a dynamic quorum needs', async () => {
    const args = ['storage', 'format', '-t', 'c', '-c', configFile()]
    expect((await ottla(args)).err).toContain('you must specify one of the following: --standalone')
    expect((await ottla([...args, '-s', '-N'])).err).toContain(
      '--standalone and --no-initial-controllers exclude each other',
    )
    expect((await ottla([...args, '-S', 'SCRAM-SHA-256=[]'])).err).toContain('--add-scram is not available yet')
    const fixed = configFile('controller.quorum.voters=1@localhost:9093')
    expect((await ottla([...args.slice(0, -1), fixed, '-s'])).err).toContain(
      'You cannot specify controller.quorum.voters',
    )
  })

  test('initial controllers', () => {
    const id = 'DeLnr5L0QSe3ED5y-hyOGA'
    expect(parseInitialVoters(`1@a:9093:${id},2@[::1]:9094:${id}`)).toEqual([
      { id: 1, host: 'a', port: 9093, directoryId: id },
      { id: 2, host: '::1', port: 9094, directoryId: id },
    ])
    for (const text of ['', '1@a:9093', `1@a:99999:${id}`, `1@a:1:${id},1@b:1:${id}`, `x@a:1:${id}`]) {
      expect(() => parseInitialVoters(text), text).toThrow()
    }
  })
})

test('the log has a line for each message, whatever the message holds', () => {
  const lines: string[] = []
  const log = consoleLogger(new VirtualTime(Date.parse('2026-01-31T10:00:00.007')), (line) => lines.push(line))
  log.debug('quiet')
  log.warn('a\n[2026-01-01 00:00:00,000] INFO forged')
  expect(lines).toEqual(['[2026-01-31 10:00:00,007] WARN a | [2026-01-01 00:00:00,000] INFO forged'])
  log.level = 'FATAL'
  log.error('quiet')
  log.level = 'ERROR'
  log.error('\u001b[2J\0\u009bé')
  log.error('x'.repeat(1_000_000))
  expect(lines[1]).toBe('[2026-01-31 10:00:00,007] ERROR ?[2J??é')
  expect(lines[2]!.length).toBeLessThan(10_000)
  log.level = 'TRACE'
  log.debug('loud')
  expect(lines.slice(3)).toEqual(['[2026-01-31 10:00:00,007] DEBUG loud'])
})

test('the command of an unbuilt checkout says what to do', () => {
  const script = join(directory, 'bin', 'ottla.js')
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  cpSync(fileURLToPath(new URL('../../bin', import.meta.url)), join(directory, 'bin'), { recursive: true })
  const { status, stderr } = spawnSync(process.execPath, [script, '--version'], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([1, 'ottla is not built yet. Run: npm ci && npm run build\n'])
})
