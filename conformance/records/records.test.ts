import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { BatchView, batchSizeAt, magicAt } from '../../src/protocol/records/batch.ts'
import { type BatchOptions, buildBatch, type RecordInput } from '../../src/protocol/records/builder.ts'
import { Compression, LEVELS } from '../../src/protocol/records/compression.ts'
import {
  ControlType,
  controlKey,
  endTxnMarkerValue,
  parseEndTxnMarkerValue,
} from '../../src/protocol/records/control.ts'
import { downConvert } from '../../src/protocol/records/convert.ts'
import { RecordCursor } from '../../src/protocol/records/cursor.ts'
import { Codec } from '../../src/protocol/records/layout.ts'
import {
  buildMessageSet,
  decodeMessageSet,
  MessageView,
  recordsOfMessage,
} from '../../src/protocol/records/message-set.ts'
import { compileJava } from '../harness/java.ts'
import { clientCoordinates, kafkaVersion } from '../harness/maven.ts'
import { jvmFlags } from '../harness/oracle.ts'
import { runOk } from '../harness/process.ts'

const MAX_BYTES = 64 << 20
/** The last version that converts for old clients. */
const downConvertVersion = '3.9.1'
const codecNames = Object.keys(Codec) as (keyof typeof Codec)[]
const javaScript = new Compression({ preferNative: false })
const native = new Compression()

async function runJava(
  name: string,
  version: string,
  args: readonly string[],
  lines: readonly string[],
): Promise<string[]> {
  const path = await compileJava(`conformance/records/${name}.java`, clientCoordinates(version))
  const stdin = lines.map((line) => `${line}\n`).join('')
  const stdout = await runOk('java', [...jvmFlags, '-Xmx512m', '-cp', path, name, ...args], { stdin })
  return stdout.trimEnd().split('\n')
}

interface DigestRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers?: readonly { key: string; value: Buffer | null }[]
}

function hex(bytes: Buffer | null): string {
  return bytes === null ? 'null' : bytes.toString('hex')
}

function lineOf({ offset, timestamp, key, value, headers = [] }: DigestRecord): string {
  const fields = [
    offset,
    timestamp,
    hex(key),
    hex(value),
    ...headers.map((header) => `${header.key}=${hex(header.value)}`),
  ]
  return fields.join(' ')
}

function linesOfBatch(batch: BatchView, compression: Compression): string[] {
  batch.ensureValid()
  const lines = [
    [
      batch.baseOffset,
      batch.lastOffset,
      batch.maxTimestamp,
      batch.partitionLeaderEpoch,
      batch.producerId,
      batch.producerEpoch,
      batch.baseSequence,
      batch.isTransactional,
      batch.isControl,
      batch.timestampType,
      codecNames[batch.codec],
      batch.deleteHorizonMs,
    ].join(' '),
  ]
  const plain = compression.decompress(batch.codec, batch.buffer.subarray(batch.recordsStart, batch.end), MAX_BYTES)
  const cursor = new RecordCursor().openRecords(batch, plain)
  while (cursor.next()) {
    const record = cursor.record()
    lines.push(lineOf(record))
    if (batch.isControl) lines.push(`${record.key!.readInt16BE(2)} ${parseEndTxnMarkerValue(record.value!)}`)
  }
  return lines
}

/** The same digest as that of Records.java. */
function digestOf(buffer: Buffer, compression: Compression): string {
  const lines: string[] = []
  let position = 0
  for (
    let size = batchSizeAt(buffer, 0, buffer.length);
    size > 0;
    size = batchSizeAt(buffer, position, buffer.length)
  ) {
    if (magicAt(buffer, position) === 2) lines.push(...linesOfBatch(new BatchView(buffer, position), compression))
    else {
      const message = new MessageView(buffer, position)
      message.ensureValid()
      for (const record of recordsOfMessage(message, MAX_BYTES, compression)) lines.push(lineOf(record))
    }
    position += size
  }
  expect(position).toBe(buffer.length)
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

test('reads what Apache Kafka writes, in every format, codec and level', async () => {
  const lines = await runJava('Records', kafkaVersion, ['write'], [])
  expect(lines.length).toBe(29 + 29 + 45)
  for (const line of lines) {
    const [name, bytes, digest] = line.split('\t') as [string, string, string]
    for (const compression of [native, javaScript]) {
      expect(digestOf(Buffer.from(bytes, 'base64'), compression), name).toBe(digest)
    }
  }
})

function sampleRecords(count: number): RecordInput[] {
  return Array.from({ length: count }, (_, i) => ({
    timestamp: 1_700_000_000_000 + ((i * 7919) % 10_000),
    key: i % 5 === 0 ? null : Buffer.from(`key-${i}`),
    value:
      i % 13 === 0
        ? null
        : Buffer.from(`{"id":${i * 31},"name":"user-${i % 17}","text":"${'lorem ipsum '.repeat(i % 90)}"}`),
    headers:
      i % 3 === 0
        ? [
            { key: 'h-ü', value: Buffer.from([i & 0xff]) },
            { key: 'empty', value: null },
          ]
        : [],
  }))
}

const wide = { producerId: 2 ** 40, producerEpoch: 32767, baseSequence: 0x7fff_fff0, partitionLeaderEpoch: 5 }
const shapes: BatchOptions[] = [
  { baseOffset: 0 },
  { baseOffset: 2 ** 45, ...wide, isTransactional: true },
  { baseOffset: 9, logAppendTimeMs: 1_800_000_000_000 },
  { baseOffset: 9, deleteHorizonMs: 1_650_000_000_000, lastOffset: 2000 },
]

function batchesToWrite(): Buffer[] {
  const records = sampleRecords(400)
  const batches: Buffer[] = []
  for (const codec of Object.values(Codec))
    for (const shape of shapes) batches.push(buildBatch(records, { ...shape, codec }))
  for (let level = LEVELS.lz4.min; level <= LEVELS.lz4.max; level++)
    batches.push(buildBatch(records, { codec: Codec.lz4, level }))
  for (const level of [-131072, -5, 1, 9, 19, 22]) batches.push(buildBatch(records, { codec: Codec.zstd, level }))
  for (const level of [1, 6, 9]) batches.push(buildBatch(records, { codec: Codec.gzip, level }))
  const marker = { ...wide, baseSequence: -1, isTransactional: true, isControl: true }
  for (const type of [ControlType.abort, ControlType.commit]) {
    batches.push(buildBatch([{ timestamp: 5, key: controlKey(type), value: endTxnMarkerValue(8) }], marker))
  }
  return batches
}

function messageSetsToWrite(): Buffer[] {
  const records = sampleRecords(400)
  const codecs = [Codec.none, Codec.gzip, Codec.snappy, Codec.lz4]
  return [native, javaScript].flatMap((compression) =>
    codecs.flatMap((codec) => [
      buildMessageSet(records, { magic: 0, codec, baseOffset: 50 }, compression),
      buildMessageSet(records, { magic: 1, codec, baseOffset: 50 }, compression),
      buildMessageSet(records, { magic: 1, codec, baseOffset: 50, logAppendTimeMs: 1_800_000_000_000 }, compression),
    ]),
  )
}

/** Batches whose records the JavaScript codecs have compressed. */
function batchesByJavaScript(): Buffer[] {
  return [Codec.snappy, Codec.lz4, Codec.zstd].map((codec) => {
    const plain = buildBatch(sampleRecords(400))
    const packed = javaScript.compress(codec, plain.subarray(61))
    const batch = Buffer.concat([plain.subarray(0, 61), packed])
    batch.writeInt32BE(batch.length - 12, 8)
    batch.writeInt16BE(codec, 21)
    new BatchView(batch).updateCrc()
    return batch
  })
}

test('writes what Apache Kafka reads, in every format, codec and level', async () => {
  const written = [...batchesToWrite(), ...batchesByJavaScript(), ...messageSetsToWrite()]
  const digests = await runJava(
    'Records',
    kafkaVersion,
    ['read'],
    written.map((bytes) => bytes.toString('base64')),
  )
  expect(digests).toEqual(written.map((bytes) => digestOf(bytes, native)))
})

test('converts for old clients as Apache Kafka 3.9 does', async () => {
  const records = sampleRecords(60)
  const marker = [{ timestamp: 5, key: controlKey(ControlType.commit), value: endTxnMarkerValue(8) }]
  const cases = [Codec.none, Codec.gzip, Codec.snappy, Codec.lz4].flatMap((codec) =>
    [0, 1].flatMap((toMagic) =>
      [0, 30].map((firstOffset) => {
        const log = Buffer.concat([
          buildBatch(records, { codec, ...wide, isTransactional: true }),
          buildBatch(marker, { baseOffset: 60, ...wide, isTransactional: true, isControl: true }),
          buildBatch(records, { codec, baseOffset: 61, logAppendTimeMs: 1_800_000_000_000 }),
          buildMessageSet(records, { magic: 1, codec, baseOffset: 130 }),
          buildMessageSet(records, { magic: 0, codec, baseOffset: 200 }),
        ])
        return { codec, toMagic: toMagic as 0 | 1, firstOffset, log }
      }),
    ),
  )
  const lines = cases.map(({ toMagic, firstOffset, log }) => `${toMagic} ${firstOffset} ${log.toString('base64')}`)
  const converted = await runJava('DownConvert', downConvertVersion, [], lines)
  cases.forEach(({ codec, toMagic, firstOffset, log }, i) => {
    const ours = downConvert(log, { toMagic, firstOffset, maxBytes: MAX_BYTES })
    const theirs = Buffer.from(converted[i]!, 'base64')
    expect(decodeMessageSet(ours, MAX_BYTES)).toEqual(decodeMessageSet(theirs, MAX_BYTES))
    if (codec === Codec.none) expect(ours.equals(theirs)).toBe(true)
  })
})
