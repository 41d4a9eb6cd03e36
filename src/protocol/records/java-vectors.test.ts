import { describe, expect, it } from 'vitest'
import { BatchView } from './batch.ts'
import { Compression } from './compression.ts'
import { ControlType, controlKey, parseEndTxnMarkerValue } from './control.ts'
import { decodeRecords, RecordCursor } from './cursor.ts'
import { decodeMessageSet, MessageView, recordsOfMessage } from './message-set.ts'

// Written once by Apache Kafka 4.3.1 (MemoryRecords.builder of kafka-clients), base64. Three records at offset 7: keys
// null, k1, k2; values of 120 bytes, null, 120 bytes; in magic 1 and 2 timestamps 1000, 2000, 3000; in magic 2 two headers
// on the last, leader epoch 4, producer 300 with epoch 2, sequence 5, transactional.
const javaBytes: { [name: string]: string[] } = {
  'magic 0, none': [
    'AAAAAAAAAAcAAACGDjcuOAAA/////wAAAHhsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBs',
    'YSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSBsYSAAAAAA',
    'AAAACAAAABDMg5kKAAAAAAACazH/////AAAAAAAAAAkAAACICgwb3QAAAAAAAmsyAAAAeGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxh',
    'IGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxh',
    'IGxhIGxhIGxhIGxhIGxhIGxhIGxhIA==',
  ],
  'magic 0, gzip': [
    'AAAAAAAAAAkAAABarDGCZAAB/////wAAAEwfiwgAAAAAAAD/Y2AAA3YgbuMz17NgYPgPBEBeRU6iwoAgiIMYOIBY4EzzTC4wjynb',
    'EOouEOAE4g4uHum7UDmjgXQvALkjE9dCAQAA',
  ],
  'magic 0, snappy': [
    'AAAAAAAAAAkAAAB2wB0zmAAC/////wAAAGiCU05BUFBZAAAAAAEAAAABAAAAVMICAAAJAVQHAAAAhg43LjgAAP////8AAAB4bGEg',
    '/gMA0gMAAAAJASQIAAAAEMyDmQoAAQEIAmsxDZgBASQJAAAAiAoMG90AAQEMAmsyAP6wAOqwAA==',
  ],
  'magic 0, lz4': [
    'AAAAAAAAAAkAAABv23qeNQAD/////wAAAGEEIk0YYEAaUgAAABIAAQD/BwcAAACGDjcuOAAA/////wAAAHhsYSADAGICkQChAAgA',
    'AAAQzIOZChAAMwJrMZgAAAIAkAkAAACICgwb3Q0ATwACazKwAGRQYSBsYSAAAAAA',
  ],
  'magic 1, none': [
    'AAAAAAAAAAcAAACOXb+KzQEAAAAAAAAAA+j/////AAAAeGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxh',
    'IGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxh',
    'IGxhIAAAAAAAAAAIAAAAGKYj/poBAAAAAAAAAAfQAAAAAmsx/////wAAAAAAAAAJAAAAkHkl9fwBAAAAAAAAAAu4AAAAAmsyAAAA',
    'eGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxh',
    'IGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIA==',
  ],
  'magic 1, gzip': [
    'AAAAAAAAAAkAAABqMBex6wEBAAAAAAAAC7j/////AAAAVB+LCAAAAAAAAP9jYICDvtj9XWcZoRzmF/+BAMioyElUGBAEdQjIQRLL',
    'lP/NgrmM/QKQYMo2hLoPBJiAeEKl6tc/MDXcO8BqjAbS/QApyVrCWgEAAA==',
  ],
  'magic 1, snappy': [
    'AAAAAAAAAAkAAACEyDmk2gECAAAAAAAAC7j/////AAAAboJTTkFQUFkAAAAAAQAAAAEAAABa2gIAABkBFI5dv4rNAQ0QMAPo////',
    '/wAAAHhsYSD+AwDSAwAAAAkBAZEQGKYj/poBCQEBHAfQAAAAAmsxDaABASACAAAAkHkl9fwRJAQLuAUkBDIA/sAA6sAA',
  ],
  'magic 1, lz4': [
    'AAAAAAAAAAkAAAB+A3ftogEDAAAAAAAAC7j/////AAAAaAQiTRhgQIJZAAAAFgABAGOOXb+KzQEQAN8D6P////8AAAB4bGEgAwBi',
    'A4kAAJEAUBimI/6aCQAAAgCDB9AAAAACazGgAAACAJQCAAAAkHkl9fwkACELuCQAHzLAAGRQYSBsYSAAAAAA',
  ],
  'magic 2, none': [
    'AAAAAAAAAAcAAAFHAAAABAKMwomRABAAAAACAAAAAAAAA+gAAAAAAAALuAAAAAAAAAEsAAIAAAAFAAAAA/4BAAAAAfABbGEgbGEg',
    'bGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEg',
    'bGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgbGEgABIA0A8CBGsxAQCSAgCgHwQEazLwAWxhIGxhIGxhIGxhIGxh',
    'IGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxh',
    'IGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIGxhIAQCaAJ2Am4B',
  ],
  'magic 2, gzip': [
    'AAAAAAAAAAcAAABxAAAABAJKRSJwABEAAAACAAAAAAAAA+gAAAAAAAALuAAAAAAAAAEsAAIAAAAFAAAAAx+LCAAAAAAAAP/7x8jA',
    'wMD4gTEnUWFAEIMQwwV+JpZsQ0aGSUwMC+RZWLKNBs41LEwZTGVMeYwAb1l9bhYBAAA=',
  ],
  'magic 2, snappy': [
    'AAAAAAAAAAcAAAB9AAAABAJeR6H4ABIAAAACAAAAAAAAA+gAAAAAAAALuAAAAAAAAAEsAAIAAAAFAAAAA4JTTkFQUFkAAAAAAQAA',
    'AAEAAAA4lgIo/gEAAAAB8AFsYSD+AwDSAwBMABIA0A8CBGsxAQCSAgCgHwQEazL+jgDmjgAcBAJoAnYCbgE=',
  ],
  'magic 2, lz4': [
    'AAAAAAAAAAcAAABxAAAABAKy5A4gABMAAAACAAAAAAAAA+gAAAAAAAALuAAAAAAAAAEsAAIAAAAFAAAAAwQiTRhgQIIxAAAAv/4B',
    'AAAAAfABbGEgAwBi/wUAEgDQDwIEazEBAJICAKAfBARrMo4AZ4AEAmgCdgJuAQAAAAA=',
  ],
  'magic 2, zstd': [
    'AAAAAAAAAAcAAABvAAAABALNoq2MABQAAAACAAAAAAAAA+gAAAAAAAALuAAAAAAAAAEsAAIAAAAFAAAAAyi1L/0AWJQBAHQC/gEA',
    'AAAB8AFsYSAAEgDQDwIEazEBAJICAKAfBARrMgQCaAJ2Am4BAgBuxKRMmjovAQAA',
  ],
}
/** COMMIT by coordinator epoch 11 at offset 9, leader epoch 3, producer 300 with epoch 2, timestamp 5000. */
const javaMarker = [
  'AAAAAAAAAAkAAABCAAAAAwLcopsfADAAAAAAAAAAAAAAE4gAAAAAAAATiAAAAAAAAAEsAAL/////AAAAASAAAAAIAAAAAQwAAAAA',
  'AAsA',
]

const MAX = 10_000
const value = Buffer.from('la '.repeat(40))
const expected = [
  { offset: 7, timestamp: 1000, key: null, value },
  { offset: 8, timestamp: 2000, key: Buffer.from('k1'), value: null },
  { offset: 9, timestamp: 3000, key: Buffer.from('k2'), value },
]
const headers = [
  { key: 'h', value: Buffer.from('v') },
  { key: 'n', value: null },
]

describe.each(Object.entries(javaBytes))('from Java: %s', (name, parts) => {
  const bytes = Buffer.from(parts.join(''), 'base64')
  const magic = Number(name.charAt(6))

  it.each([true, false])('is read (native codecs: %s)', (preferNative) => {
    const compression = new Compression({ preferNative })
    if (magic === 2) {
      const batch = new BatchView(bytes)
      batch.ensureValid()
      expect(batch).toMatchObject({ partitionLeaderEpoch: 4, producerId: 300, producerEpoch: 2, baseSequence: 5 })
      expect(batch).toMatchObject({ isTransactional: true, lastOffset: 9, recordCount: 3, maxTimestamp: 3000 })
      const plain = compression.decompress(batch.codec, bytes.subarray(batch.recordsStart), MAX)
      const cursor = new RecordCursor().openRecords(batch, plain)
      const read = []
      while (cursor.next()) read.push(cursor.record())
      expect(read).toEqual(expected.map((record, i) => ({ ...record, headers: i === 2 ? headers : [] })))
      return
    }
    const read = name.endsWith('none')
      ? decodeMessageSet(bytes, MAX)
      : recordsOfMessage(new MessageView(bytes), MAX, compression)
    expect(read).toEqual(expected.map((record) => (magic === 0 ? { ...record, timestamp: -1 } : record)))
  })
})

it('reads a transaction marker from Java', () => {
  const batch = new BatchView(Buffer.from(javaMarker.join(''), 'base64'))
  batch.ensureValid()
  expect(batch).toMatchObject({
    isControl: true,
    isTransactional: true,
    baseOffset: 9,
    baseSequence: -1,
    recordCount: 1,
  })
  const [record] = decodeRecords(batch, MAX)
  expect(record).toMatchObject({ key: controlKey(ControlType.commit), timestamp: 5000 })
  expect(parseEndTxnMarkerValue(record!.value!)).toBe(11)
})
