import { expect, test, vi } from 'vitest'
import { apis } from './api-keys.ts'
import { codecOf } from './codec.ts'
import { decodeRequestHeader, decodeResponse, encodeRequest, encodeResponse, FRAME_SIZE_BYTES } from './frames.ts'
import { DecodeError } from './wire.ts'

/** The frame after its size field, which must tell the truth. */
function frameOf(chunks: readonly Buffer[]): Buffer {
  const whole = Buffer.concat(chunks)
  expect(whole.readInt32BE()).toBe(whole.length - FRAME_SIZE_BYTES)
  return whole.subarray(FRAME_SIZE_BYTES)
}

test('a request is read back with its header, and the reader stands at the body', () => {
  for (const version of [0, 8, 9, 12]) {
    const frame = frameOf(
      encodeRequest(apis.Metadata, version, { correlationId: 7, clientId: 'me' }, { topics: [{ name: 't' }] }),
    )
    const request = decodeRequestHeader(frame)
    expect(request).toMatchObject({ apiKey: 3, apiVersion: version, correlationId: 7, clientId: 'me' })
    expect(request.api).toBe(apis.Metadata)
    expect(codecOf(apis.Metadata.request, version).read(request.reader).topics).toMatchObject([{ name: 't' }])
    expect(request.reader.remaining).toBe(0)
  }
})

test('the client id may be null', () => {
  const frame = frameOf(encodeRequest(apis.Heartbeat, 4, { correlationId: 1, clientId: null }, {}))
  expect(decodeRequestHeader(frame).clientId).toBeNull()
})

test('ControlledShutdown 0 has no client id', () => {
  const frame = Buffer.from('0007 0000 00000005 00000001'.replaceAll(' ', ''), 'hex')
  const request = decodeRequestHeader(frame)
  expect(request).toMatchObject({ correlationId: 5, clientId: '' })
  expect(codecOf(apis.ControlledShutdown.request, 0).read(request.reader).brokerId).toBe(1)
})

test('the header of a version that nobody knows is read, so that ApiVersions can answer it (KIP-511)', () => {
  const frame = Buffer.from('0012 007f 00000005 0001 61 00 aabbcc'.replaceAll(' ', ''), 'hex')
  expect(decodeRequestHeader(frame)).toMatchObject({ apiKey: 18, apiVersion: 127, correlationId: 5, clientId: 'a' })
})

test.each([
  ['nothing', ''],
  ['less than a header', '001200'],
  ['a key that does not exist', '03e7 0000 00000005 0001 61'],
  ['a negative key', 'ffff 0000 00000005 0001 61'],
  ['a client id that is cut off', '0003 0000 00000005 0009 61'],
  ['no tagged fields where there must be some', '0003 000c 00000005 0001 61'],
])('%s is a DecodeError', (_what, hex) => {
  expect(() => decodeRequestHeader(Buffer.from(hex.replaceAll(' ', ''), 'hex'))).toThrow(DecodeError)
})

test('a response is read back with its correlation id', () => {
  for (const version of [0, 9, 12]) {
    const body = { brokers: [{ nodeId: 1, host: 'h', port: 9092 }] }
    const response = decodeResponse(apis.Metadata, version, frameOf(encodeResponse(apis.Metadata, version, 7, body)))
    expect(response.correlationId).toBe(7)
    expect(response.body.brokers).toEqual([{ nodeId: 1, host: 'h', port: 9092, rack: null }])
  }
})

test('ApiVersions answers with the header that every client reads (KIP-511)', () => {
  const frame = frameOf(encodeResponse(apis.ApiVersions, 4, 7, {}))
  expect(frame.toString('hex')).toBe('00000007 0000 01 00000000 00'.replaceAll(' ', ''))
})

test('fetched records are sent by reference, and the size field counts them', () => {
  const batch = Buffer.alloc(5000, 1)
  const partitions = [{ partitionIndex: 0, records: [batch] }]
  const chunks = encodeResponse(apis.Fetch, 12, 1, { responses: [{ topic: 't', partitions }] })
  expect(chunks).toContain(batch)
  const { body } = decodeResponse(apis.Fetch, 12, frameOf(chunks))
  expect(body.responses[0]?.partitions[0]?.records).toEqual([batch])
})

test('where code generation is forbidden the interpreter takes over', async () => {
  const request = { groupId: 'g', memberId: 'm', generationId: 3 }
  const expected = frameOf(encodeRequest(apis.Heartbeat, 4, { correlationId: 1, clientId: 'c' }, request))
  vi.stubGlobal('Function', () => {
    throw new EvalError('Code generation from strings disallowed for this context')
  })
  vi.resetModules()
  try {
    const fresh = await import('./frames.ts')
    const frame = frameOf(fresh.encodeRequest(apis.Heartbeat, 4, { correlationId: 1, clientId: 'c' }, request))
    expect(frame).toEqual(expected)
  } finally {
    vi.unstubAllGlobals()
    vi.resetModules()
  }
})
