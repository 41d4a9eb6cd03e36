/**
 * The round trip that every client library runs, and what it has to report.
 *
 * A client program is called with `bootstrap prefix codecs startMs` and prints one JSON report. It
 * 1. for each codec creates `<prefix>-<codec>` with two partitions, produces 100 records (record i to partition i % 2,
 *    acks=all, idempotent where the client can), and reads both partitions from the beginning;
 * 2. does the same with three records of 1 MiB in `<prefix>-big`, created with max.message.bytes=1100000;
 * 3. produces 100 records with timestamps startMs + 1000 i in the last codec to `<prefix>-times`, one partition, and
 *    looks up the offsets of three times, and reads one record from the middle one on;
 * 4. on `<prefix>-group`, four partitions with 200 records: member A joins alone, then B joins; 200 more records are
 *    produced; both read until all is seen, and commit; B leaves; A leaves; 40 more records are produced, and a new
 *    member resumes from the commit.
 *
 * The programs compute no expectation of their own: they report digests of what they received, compared here.
 */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'

export const recordCount = 100
export const bigRecordCount = 3
export const bigRecordBytes = 1_048_576
export const groupPartitionCount = 4

export interface TestRecord {
  key: Buffer | null
  value: Buffer | null
  headers: Array<[string, Buffer]>
}

/** Record i of a codec's topic: some keys or values are null (never both), some records have a header twice, bytes of any value. */
export function smallRecord(i: number): TestRecord {
  const value = Buffer.alloc((i * 37) % 300)
  for (let j = 0; j < value.length; j++) value[j] = i * 31 + j * 17
  return {
    key: i % 5 === 4 && i % 7 !== 6 ? null : Buffer.from(`key-${i}`),
    value: i % 7 === 6 ? null : value,
    headers:
      i % 3 === 0
        ? [
            ['h', Buffer.from(`v${i}`)],
            ['h', Buffer.from(`w${i}`)],
          ]
        : [],
  }
}

export function bigRecord(i: number): TestRecord {
  const value = Buffer.alloc(bigRecordBytes)
  for (let j = 0; j < value.length; j++) value[j] = i + j * 7 + (j >> 8) * 13
  return { key: Buffer.from(`key-${i}`), value, headers: [] }
}

/** One record as a line of a digest. */
export function recordLine(offset: number, record: TestRecord): string {
  const hex = (bytes: Buffer | null) => bytes?.toString('hex') ?? '-'
  const headers = record.headers.map(([name, value]) => `${name}=${hex(value)}`).join(';')
  return `${offset}|${hex(record.key)}|${hex(record.value)}|${headers}\n`
}

export function digest(lines: readonly string[]): string {
  const hash = createHash('sha256')
  for (const line of lines) hash.update(line)
  return hash.digest('hex')
}

/** What was read of one partition: the number of records, and the digest of their lines in the order received. */
export interface PartitionReport {
  count: number
  sha: string
}

export interface TopicReport {
  /** The digest of the lines `i:partition:offset` of all acknowledged records, by i. */
  acked: string
  partitions: Record<string, PartitionReport>
}

export interface Report {
  codecs: Record<string, TopicReport>
  big: TopicReport
  /**
   * Offsets for startMs, startMs + 49,500 and startMs + 100,000; null where there is no record. And what a consumer that
   * sought the second of them reads first, as `offset:milliseconds after startMs`.
   */
  times: { first: number | null; middle: number | null; after: number | null; sought: string }
  group: {
    /** The partitions of A before B joined, of A and B after, and of A after B left. */
    alone: number[]
    together: number[][]
    left: number[]
    /** The digest of the sorted lines `partition:offset` of the distinct records seen by A and B. */
    seen: string
    committed: Record<string, number>
    /** The sorted `partition:offset` of what the resuming member received. */
    resumed: string[]
  }
}

function expectedTopic(count: number, make: (i: number) => TestRecord): TopicReport {
  const lines: string[][] = [[], []]
  const acked: string[] = []
  for (let i = 0; i < count; i++) {
    const offset = Math.floor(i / 2)
    lines[i % 2]!.push(recordLine(offset, make(i)))
    acked.push(`${i}:${i % 2}:${offset}\n`)
  }
  const partitions = lines.map((partition, index) => [index, { count: partition.length, sha: digest(partition) }])
  return { acked: digest(acked), partitions: Object.fromEntries(partitions) }
}

function partitionOffsets(fromOffset: number, toOffset: number): string[] {
  const lines: string[] = []
  for (let partition = 0; partition < groupPartitionCount; partition++) {
    for (let offset = fromOffset; offset < toOffset; offset++) lines.push(`${partition}:${offset}`)
  }
  return lines.sort()
}

/** Fails unless `report` is what a correct broker makes of the round trip in `codecs`. */
export function verifyReport(report: Report, codecs: readonly string[]): void {
  const small = expectedTopic(recordCount, smallRecord)
  expect(report.codecs).toEqual(Object.fromEntries(codecs.map((codec) => [codec, small])))
  expect(report.big).toEqual(expectedTopic(bigRecordCount, bigRecord))
  expect(report.times).toEqual({ first: 0, middle: 50, after: null, sought: '50:50000' })
  const { group } = report
  const all = [0, 1, 2, 3]
  expect(group.alone).toEqual(all)
  expect(group.together.map((member) => member.length)).toEqual([2, 2])
  expect(group.together.flat().sort()).toEqual(all)
  expect(group.left).toEqual(all)
  expect(group.seen).toBe(digest(partitionOffsets(0, 100).map((line) => `${line}\n`)))
  expect(group.committed).toEqual({ 0: 100, 1: 100, 2: 100, 3: 100 })
  expect(group.resumed).toEqual(partitionOffsets(100, 110))
}

/** The report in the output of a client program: its last line. */
export function parseReport(stdout: string): Report {
  const last = stdout.trim().split('\n').at(-1) ?? ''
  return JSON.parse(last) as Report
}
