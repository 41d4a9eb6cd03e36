import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Broker,
  type BrokerHome,
  type BrokerOptions,
  clusterId,
  newHome,
  running,
  writeProperties,
} from './broker.ts'
import { classpath, kafkaCoordinates, olderKafka } from './maven.ts'
import { Daemon, type RunOptions, type RunResult, run, runOk } from './process.ts'

/** Flags that make a short-lived JVM start fast and stay small. */
export const jvmFlags: readonly string[] = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']

export function logging(level: string): string[] {
  return [`-Dorg.slf4j.simpleLogger.defaultLogLevel=${level}`, '-Dorg.slf4j.simpleLogger.showDateTime=true']
}

export interface KafkaToolOptions extends RunOptions {
  /** Level of what the tool logs to stderr. Default `error`. */
  logLevel?: 'error' | 'warn' | 'info' | 'debug'
}

/** Runs one class of Apache Kafka 4.3.1 in a JVM of its own, for example `kafka.tools.StorageTool`. */
export async function runKafkaTool(
  className: string,
  args: readonly string[],
  options: KafkaToolOptions = {},
): Promise<RunResult> {
  const { logLevel = 'error', ...runOptions } = options
  const path = await classpath(kafkaCoordinates)
  return run('java', [...jvmFlags, '-Xmx256m', ...logging(logLevel), '-cp', path, className, ...args], runOptions)
}

/** Formats the directory as the one voter of its quorum, as `kafka-storage format --standalone` does. */
async function formatHome(home: BrokerHome, path: string): Promise<void> {
  const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '--standalone', '-c', home.propertiesFile]
  await runOk('java', [...jvmFlags, '-Xmx128m', ...logging('error'), '-cp', path, ...format])
}

/**
 * Starts Apache Kafka as one combined node on loopback and waits until it answers; formats an empty directory first.
 * With `home`, it starts on a directory that another broker left.
 */
export async function startOracle(options: BrokerOptions = {}): Promise<Broker> {
  const home = options.home ?? (await newHome('oracle'))
  // The cleaner's default buffer of 128 MB has to fit in the heap; nothing here needs more than its minimum.
  writeProperties(home, { 'log.cleaner.dedupe.buffer.size': '4194304', ...options.overrides })
  const path = await classpath(options.olderVersion === undefined ? kafkaCoordinates : olderKafka(options.olderVersion))
  if (!existsSync(join(home.dataDir, 'meta.properties'))) await formatHome(home, path)
  const args = [
    ...(options.jvm ?? [...jvmFlags, '-Xms128m', '-Xmx512m']),
    ...logging('info'),
    '-cp',
    path,
    'kafka.Kafka',
    home.propertiesFile,
  ]
  const daemon = new Daemon('java', args, { cwd: home.dir, logFile: join(home.dir, 'oracle.out') })
  return running('oracle', home, daemon, 90_000)
}
