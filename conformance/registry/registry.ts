import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Broker } from '../harness/broker.ts'
import { freshDir } from '../harness/cache.ts'
import { apicurioArchive, unpacked } from '../harness/maven.ts'
import { jvmFlags } from '../harness/oracle.ts'
import { Daemon, eventually } from '../harness/process.ts'

export interface Registry {
  /** Where its APIs are: `http://host:port/apis` */
  readonly url: string
  /** SIGKILL: all that it keeps is in Kafka, its database is in its memory. */
  kill(): Promise<void>
}

/** Starts Apicurio Registry with its storage in topics of `broker`, and waits until it has read them. */
export async function startRegistry(broker: Broker, port: number): Promise<Registry> {
  const home = await unpacked(apicurioArchive)
  const jar = readdirSync(home).find((name) => name.endsWith('-runner.jar'))!
  const dir = freshDir('registry')
  const env = {
    ...process.env,
    APICURIO_STORAGE_KIND: 'kafkasql',
    APICURIO_KAFKASQL_BOOTSTRAP_SERVERS: broker.bootstrap,
    // It waits this long for snapshots that are not there.
    APICURIO_KAFKASQL_CONSUMER_POLL_TIMEOUT: '500',
    QUARKUS_HTTP_HOST: '127.0.0.1',
    QUARKUS_HTTP_PORT: String(port),
  }
  const args = [...jvmFlags, '-Xmx384m', `-Djava.io.tmpdir=${dir}`, '-jar', join(home, jar)]
  const daemon = new Daemon('java', args, { cwd: dir, env, logFile: join(dir, 'out') })
  await eventually('a registry that is ready', 120_000, async () => {
    if (!daemon.running) return 'ended'
    return (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok ? 'ready' : undefined
  })
  if (!daemon.running) throw new Error(`the registry ended\n${daemon.output().slice(-6000)}`)
  return {
    url: `http://127.0.0.1:${port}/apis`,
    kill: async () => {
      await daemon.end('SIGKILL', 10_000)
    },
  }
}

/** Calls an API of the registry; `body` makes it a POST. The answer is the status and what came with it. */
export async function call(url: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(url, { ...(body === undefined ? {} : request), signal: AbortSignal.timeout(60_000) })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}
