import { expect } from 'vitest'
import { parseReport, verifyReport } from '../clients/scenario.ts'
import type { Broker } from '../harness/broker.ts'
import { runJavaRoundTrip } from '../harness/java.ts'
import { kafkaVersion } from '../harness/maven.ts'
import { tool, toolOn } from '../harness/tools.ts'

export const allCodecs: readonly string[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** Topics in every codec, records of 1 MiB, and a group with committed offsets: the Java client's round trip. */
export async function fill(broker: Broker, prefix: string, codecs: readonly string[] = allCodecs): Promise<void> {
  const startMs = String(Date.now() - 3_600_000)
  const result = await runJavaRoundTrip(kafkaVersion, [broker.bootstrap, prefix, codecs.join(','), startMs])
  expect(result.status, result.stderr).toBe(0)
  verifyReport(parseReport(result.stdout), codecs)
}

/** A topic of several segments with dense indexes: 4,000 records of 1 KB, segments of 1 MiB. */
export async function fillSegments(broker: Broker, topic: string): Promise<void> {
  const configs = ['--config', 'segment.bytes=1048576', '--config', 'index.interval.bytes=2048']
  await toolOn(broker, 'kafka-topics', ['--create', '--topic', topic, '--partitions', '1', ...configs])
  const load = ['--topic', topic, '--num-records', '4000', '--record-size', '1000', '--throughput', '-1']
  const sent = await toolOn(broker, 'kafka-producer-perf-test', [...load, '--command-property', 'batch.size=16384'])
  expect(sent).toMatch(/^4000 records sent/m)
}

/** The printed contents of the files that `kafka-dump-log` reads without a complaint. */
export async function dumpLog(files: readonly string[], decoder: readonly string[] = []): Promise<string> {
  const output = await tool('kafka-dump-log', ['--deep-iteration', ...decoder, '--files', files.join(',')])
  // What the tool prints of damage: it exits with 0 all the same.
  const complaints = /mismatch|invalid|corrupt|exception|out of order|non-consecutive|could not|isvalid: false|error/i
  const wrong = output.split('\n').filter((line) => complaints.test(line.replace(/payload: .*/, '')))
  expect(wrong).toEqual([])
  return output
}
