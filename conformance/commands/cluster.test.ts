import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { freshDir } from '../harness/cache.ts'
import { Daemon, eventually, freePort } from '../harness/process.ts'
import { ottla, ottlaScript } from './ottla-command.ts'

let running: Daemon[] = []
afterEach(async () => {
  await Promise.all(running.map((daemon) => daemon.end('SIGKILL', 10_000).catch(() => {})))
  running = []
})

interface Cluster {
  readonly daemon: Daemon
  readonly directory: string
  readonly servers: string
}

const READY = /^Ottla is ready \(\d+ ms\) at (\S+)\. Ctrl-C stops it\.$/m

async function start(directory: string, ...more: string[]): Promise<Cluster> {
  return launch(['start', '--brokers', '3', '--data-dir', directory, ...more], directory)
}

/** `directory` is where the command makes its temporary files, too. */
async function launch(command: readonly string[], directory: string): Promise<Cluster> {
  const options = { cwd: directory, env: { ...process.env, TMPDIR: directory }, logFile: join(directory, 'out') }
  const daemon = new Daemon(process.execPath, [ottlaScript, ...command], options)
  running.push(daemon)
  const servers = await eventually('the cluster is ready', 60_000, async () => {
    if (!daemon.running) throw new Error(daemon.output())
    return READY.exec(daemon.output())?.[1]
  })
  return { daemon, directory, servers }
}

async function json(cluster: Cluster, line: string): Promise<unknown> {
  const { status, stdout, stderr } = await ottla([...line.split(' '), '--bootstrap-server', cluster.servers, '--json'])
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

/** The processes of nodes, which have their configuration files on their command lines. */
async function nodes(cluster: Cluster): Promise<Map<number, number>> {
  const { stdout } = await ps()
  const found = stdout.split('\n').flatMap((line) => {
    const match = /^\s*(\d+) .* start (\S+)\/node-(\d+)\.properties$/.exec(line)
    return match?.[2]?.startsWith(cluster.directory) ? [[Number(match[3]), Number(match[1])] as const] : []
  })
  return new Map(found)
}

async function ps() {
  const { run } = await import('../harness/process.ts')
  return run('ps', ['-eo', 'pid,args', '-ww'])
}

test('a cluster of three: one dies and is reported, the others go on, all stop in order and are found again', async () => {
  const directory = freshDir('local-cluster')
  const first = await start(directory, '--port', '0', '--override', 'num.partitions=2')
  expect(first.daemon.output()).toMatch(/^ {2}NODE +ROLES +CLIENTS +CONTROLLER +RACK +DATA$/m)
  await json(first, 'topics --create --topic t')
  expect(await json(first, 'topics --describe --topic t')).toMatchObject({
    topics: [{ partitionCount: 2, replicationFactor: 3, configs: { 'min.insync.replicas': '2' } }],
  })
  const { clusterId } = (await json(first, 'metadata-quorum describe --status')) as { clusterId: string }
  process.kill((await nodes(first)).get(2)!, 'SIGKILL')
  await eventually('the death is reported', 20_000, async () => {
    return first.daemon.output('stderr').includes('node 2 ended by SIGKILL') || undefined
  })
  expect(await json(first, 'topics --list --exclude-internal')).toEqual({ topics: ['t'] })
  expect(await first.daemon.end('SIGINT', 60_000)).toBe(0)
  expect((await nodes(first)).size).toBe(0)

  const again = await start(directory)
  expect(again.servers).toBe(first.servers)
  const status = await json(again, 'metadata-quorum describe --status')
  expect(status).toMatchObject({ clusterId, currentVoters: [{ id: 1 }, { id: 2 }, { id: 3 }] })
  expect(await json(again, 'topics --list --exclude-internal')).toEqual({ topics: ['t'] })
  await again.daemon.end('SIGKILL', 10_000)
  await eventually('the nodes have ended with their parent', 60_000, async () => {
    return (await nodes(again)).size === 0 || undefined
  })
})

test('a cluster for a while: its temporary directory goes with it, and its nodes end with their parent', async () => {
  const directory = freshDir('dev-cluster')
  const dev = () => launch(['dev', '--brokers', '3', '--port', '0'], directory)
  const temporary = () => readdirSync(directory).filter((name) => name.startsWith('ottla-'))
  const first = await dev()
  expect(temporary()).toHaveLength(1)
  await json(first, 'topics --create --topic t')
  expect(await first.daemon.end('SIGINT', 60_000)).toBe(0)
  expect((await nodes(first)).size).toBe(0)
  expect(temporary()).toEqual([])

  const second = await dev()
  expect(await json(second, 'topics --list --exclude-internal')).toEqual({ topics: [] })
  expect((await nodes(second)).size).toBe(3)
  await second.daemon.end('SIGKILL', 10_000)
  await eventually('the nodes have ended with their parent', 60_000, async () => {
    return (await nodes(second)).size === 0 || undefined
  })
})

test('what cannot be started says why, in one line of its own', async () => {
  const directory = freshDir('local-cluster')
  const first = await start(directory, '--port', '0')
  const port = first.servers.split(',')[0]!.split(':')[1]!
  const other = await ottla(['start', '--brokers', '2', '--data-dir', freshDir('other'), '--port', port])
  expect(other.status).toBe(1)
  expect(other.stderr).toMatch(
    /^ottla: node [12] ended with exit code 1\. Its last lines:\nottla: {3}ottla: Cannot listen on/,
  )
  const fewer = await ottla(['start', '--brokers', '2', '--data-dir', directory])
  expect([fewer.status, fewer.stderr.trim().split('\n')]).toEqual([1, [expect.stringContaining('use --brokers 3')]])
  expect(await first.daemon.end('SIGTERM', 60_000)).toBe(0)
})

test('a broker serves on when what it prints has nowhere to go', async () => {
  const port = String(await freePort())
  const command = [process.execPath, ottlaScript, 'dev', '--port', port]
  const cwd = freshDir('no-output')
  const options = { cwd, logFile: join(cwd, 'out') }
  running.push(new Daemon('sh', ['-c', 'exec "$0" "$@" >/dev/full 2>&1', ...command], options))
  const topics = () => ottla(['topics', '--list', '--json', '--bootstrap-server', `127.0.0.1:${port}`])
  const answer = await eventually('it serves', 60_000, async () => {
    const { status, stdout } = await topics()
    return status === 0 ? stdout : undefined
  })
  expect(JSON.parse(answer)).toEqual({ topics: [] })
  expect(running[0]!.running).toBe(true)
})
