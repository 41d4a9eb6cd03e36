import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { runDir } from './cache.ts'
import { goProgram } from './go.ts'
import { installKcat } from './kcat.ts'
import {
  apicurioArchive,
  clientCoordinates,
  clientVersions,
  connectCoordinates,
  flinkCoordinates,
  jars,
  kafkaCoordinates,
  shellCoordinates,
  streamsCoordinates,
  streamsVersions,
  unpacked,
} from './maven.ts'
import { FIRST_PORT, pidDir } from './process.ts'
import { python, registryPython } from './python.ts'

/** What is fetched before the first test, so that no test's time includes a download. */
const preparations: Record<string, () => Promise<unknown>> = {
  // One after the other: two Mavens at once can damage their shared repository.
  'Apache Kafka and its Java clients': async () => {
    await jars(kafkaCoordinates)
    await jars(shellCoordinates)
    await jars(connectCoordinates)
    for (const version of clientVersions) await jars(clientCoordinates(version))
    for (const version of streamsVersions) await jars(streamsCoordinates(version))
    await jars(flinkCoordinates)
    await unpacked(apicurioArchive)
  },
  'Python clients': python,
  'Python client of schema registries': registryPython,
  'franz-go': () => goProgram('franz'),
  sarama: () => goProgram('sarama'),
  kcat: installKcat,
}

/** Fetches the clients. One that cannot be had is reported here and fails only the tests that need it. */
export async function setup(): Promise<void> {
  runDir()
  // Files that run at the same time must agree on whose ports are whose.
  process.env.OTTLA_CONFORMANCE_PORT ??= String(FIRST_PORT)
  const names = Object.keys(preparations)
  const results = await Promise.allSettled(names.map((name) => preparations[name]!()))
  for (const [index, result] of results.entries()) {
    if (result.status === 'rejected') console.error(`cannot prepare ${names[index]}:`, result.reason)
  }
}

function isRunning(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').length > 0
  } catch {
    return false
  }
}

/** Ends what a failed test left running, and removes the folder of the run (kept with `OTTLA_CONFORMANCE_KEEP=1`). */
export async function teardown(): Promise<void> {
  for (const pid of readdirSync(pidDir())) {
    if (!isRunning(pid)) continue
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It ended in between.
    }
  }
  if (process.env.OTTLA_CONFORMANCE_KEEP === '1') console.log(`kept: ${runDir()}`)
  else rmSync(runDir(), { recursive: true, force: true, maxRetries: 3 })
}
