import { describe, expect, expectTypeOf, test } from 'vitest'
import { codecOf, decode, encode } from './codec.ts'
import { compile } from './compile.ts'
import { interpret } from './interpret.ts'
import {
  array,
  bool,
  bytes,
  type InputOf,
  includesVersion,
  int8,
  int16,
  int32,
  int64,
  type MessageOf,
  message,
  parseVersions,
  records,
  string,
  struct,
  uuid,
} from './schema.ts'
import { DecodeError, Reader, Writer } from './wire.ts'

const Sample = message('Sample', 99, '0-3', '2+', {
  id: int32,
  name: string.nullableIn('1+', null),
  kept: int8.in('1+').or(-1),
  dropped: int8.in('1+').or(-1).ignorable(),
  items: array({ key: string, values: array(int16) }).in('1+'),
  blob: bytes.in('3+').nullableIn('3+'),
  extra: struct({ a: int32.or(5), b: string })
    .in('2+')
    .taggedAs(1),
  first: uuid.in('2+').taggedAs(0),
  maybe: struct({ x: bool }).in('2+').nullableIn('2+', null).taggedAs(2),
})

test('types follow from the fields', () => {
  type Decoded = MessageOf<typeof Sample>
  expectTypeOf<Decoded['id']>().toEqualTypeOf<number>()
  expectTypeOf<Decoded['name']>().toEqualTypeOf<string | null>()
  expectTypeOf<Decoded['items']>().toEqualTypeOf<{ key: string; values: number[] }[]>()
  expectTypeOf<Decoded['extra']>().toEqualTypeOf<{ a: number; b: string }>()
  expectTypeOf<Decoded['maybe']>().toEqualTypeOf<{ x: boolean } | null>()
  expectTypeOf<Decoded>().toExtend<InputOf<typeof Sample>>()
  expectTypeOf<{ id: number }>().toExtend<InputOf<typeof Sample>>()
})

describe('version ranges', () => {
  test.each([
    ['0', 0, 0],
    ['1-3', 1, 3],
    ['2+', 2, Number.POSITIVE_INFINITY],
  ])('%s', (text, low, high) => {
    expect(parseVersions(text)).toEqual({ low, high })
  })

  test('none includes nothing', () => {
    expect(includesVersion(parseVersions('none'), 0)).toBe(false)
  })

  test.each(['', '+', '1-', 'a', '1 - 2'])('%j is refused', (text) => {
    expect(() => parseVersions(text)).toThrow()
  })
})

describe.each([
  ['generated', compile],
  ['interpreted', interpret],
] as const)('%s', (_name, build) => {
  function write(version: number, value: InputOf<typeof Sample>): string {
    const writer = new Writer()
    build(Sample, version).write(writer, value)
    return writer.finishOne().toString('hex')
  }

  test('what is left out is written as its default', () => {
    expect(write(0, { id: 1, name: 'a' })).toBe('00000001 0001 61'.replaceAll(' ', ''))
    expect(write(1, {})).toBe('00000000 ffff ff ff 00000000'.replaceAll(' ', ''))
    expect(write(2, {})).toBe('00000000 00 ff ff 01 00'.replaceAll(' ', ''))
  })

  test('tagged fields with other than default values are written in the order of their tags (KIP-482)', () => {
    const hex = write(2, { extra: { a: 6, b: '' }, first: 'AAAAAAAAAAAAAAAAAAAAAQ', maybe: { x: true } })
    const tags = ['00 10 00000000000000000000000000000001', '01 06 00000006 01 00', '02 03 01 01 00']
    expect(hex).toBe(`00000000 00 ff ff 01 03 ${tags.join('')}`.replaceAll(' ', ''))
  })

  test('a tagged struct of nothing but defaults is not written', () => {
    expect(write(2, { extra: { a: 5, b: '' } })).toBe(write(2, {}))
    expect(write(2, { extra: {} })).toBe(write(2, {}))
  })

  test('a field the version lacks is dropped if it may be, else refused', () => {
    expect(write(0, { name: '', dropped: 4 })).toBe('000000000000')
    expect(() => write(0, { name: '', kept: 4 })).toThrow('kept is set')
    expect(() => write(0, { name: '', items: [{ key: 'a' }] })).toThrow('items is set')
    expect(write(0, { name: '', kept: -1, items: [] })).toBe('000000000000')
  })

  test('null in a field that cannot be null in the version is refused', () => {
    expect(() => write(0, { name: null })).toThrow()
  })

  test('reads defaults for what is not there, in fresh arrays', () => {
    const read = () => build(Sample, 0).read(new Reader(Buffer.from('00000001000161', 'hex')))
    const value = read()
    expect(value).toEqual({
      id: 1,
      name: 'a',
      kept: -1,
      dropped: -1,
      items: [],
      blob: Buffer.alloc(0),
      extra: { a: 5, b: '' },
      first: 'AAAAAAAAAAAAAAAAAAAAAA',
      maybe: null,
    })
    expect(value.items).not.toBe(read().items)
    expect(value.extra).not.toBe(read().extra)
  })

  test('skips tagged fields it does not know', () => {
    const bytesIn = Buffer.from('00000001 00 ff ff 01 02 09 02 aabb 02 03 01 01 00'.replaceAll(' ', ''), 'hex')
    expect(build(Sample, 2).read(new Reader(bytesIn))).toMatchObject({ id: 1, maybe: { x: true } })
  })

  test.each([
    ['null in an array that cannot be null', 1, '00000001 ffff ff ff ffffffff'],
    ['null in a string that cannot be null', 0, '00000001 ffff'],
    ['a tagged field longer than its value', 2, '00000001 00 ff ff 01 01 00 11 00000000000000000000000000000000 00'],
    ['a tagged field shorter than its value', 2, '00000001 00 ff ff 01 01 00 0f 00000000000000000000000000000000'],
    ['more elements than bytes', 1, '00000001 ffff ff ff 00000004 0000 0000 0000'],
    ['a cut-off field', 1, '00000001 ffff ff'],
  ])('%s is a DecodeError', (_what, version, hex) => {
    const from = new Reader(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
    expect(() => build(Sample, version).read(from)).toThrow(DecodeError)
  })
})

test('record data is written in all its chunks and read as one', () => {
  const Data = message('Data', -1, '0-1', '1+', { data: records.nullableIn('0+') })
  for (const version of [0, 1]) {
    const encoded = encode(Data, version, { data: [Buffer.from('ab'), Buffer.from('c')] })
    expect(decode(Data, version, encoded)).toEqual({ data: [Buffer.from('abc')] })
    expect(decode(Data, version, encode(Data, version, { data: null }))).toEqual({ data: null })
  }
})

test('a version the message does not have is refused', () => {
  expect(() => codecOf(Sample, 4)).toThrow(RangeError)
  expect(() => codecOf(Sample, -1)).toThrow(RangeError)
  expect(() => codecOf(Sample, 0.5)).toThrow(RangeError)
  expect(codecOf(Sample, 3)).toBe(codecOf(Sample, 3))
})

test('a field name that is not a plain word never reaches generated code', () => {
  const Evil = message('Evil', -1, '0', 'none', { 'a: process.exit(), b': int64 })
  expect(() => codecOf(Evil, 0)).toThrow('not a field name')
})
