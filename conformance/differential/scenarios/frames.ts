import { type Api, apis, requestHeaderVersion } from '../../../src/protocol/api-keys.ts'
import { encode } from '../../../src/protocol/codec.ts'
import type { ApiName, Body, Probe } from '../probe.ts'
import type { Scenario } from '../scenario.ts'

const CORRELATION_ID = 7
/** So long without an answer is no answer. */
const SILENT_MS = 300
const MAX_REQUEST_BYTES = 104_857_600

interface HeaderParts {
  key?: number
  /** The client id as it goes over the wire, its length included. */
  clientId?: Buffer
  /** The tagged fields of a flexible header. */
  tags?: Buffer
}

function shortString(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(2)
  length.writeInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A request header, byte by byte. */
function header(api: Api, version: number, parts: HeaderParts = {}): Buffer {
  const fixed = Buffer.alloc(8)
  fixed.writeInt16BE(parts.key ?? api.key, 0)
  fixed.writeInt16BE(version, 2)
  fixed.writeInt32BE(CORRELATION_ID, 4)
  const clientId = parts.clientId ?? shortString('frames')
  const isFlexible = requestHeaderVersion(api, version) >= 2
  return Buffer.concat([fixed, clientId, isFlexible ? (parts.tags ?? Buffer.from([0])) : Buffer.alloc(0)])
}

/** What the request of an API looks like when nothing is said: every field has its default. */
function defaultBody(name: ApiName, version: number): Buffer {
  // With acks=0 it would have no answer.
  return encode((apis[name] as Api).request, version, name === 'Produce' ? { acks: 1 } : {})
}

/** Some requests come to mean all topics; their ids differ. */
async function learnTopics(probe: Probe): Promise<void> {
  const { topics } = await probe.quietly('Metadata', 12, { topics: null })
  for (const { name, topicId } of topics) probe.learn(topicId, `<id of ${name}>`)
}

const UNKNOWN_TAG = Buffer.from([1, 77, 2, 1, 2])
const ODD_TAGS: ReadonlyArray<readonly [string, Buffer]> = [
  ['an unknown tag', UNKNOWN_TAG],
  ['an empty tag', Buffer.from([1, 77, 0])],
  ['a tag twice', Buffer.from([2, 77, 1, 0, 77, 1, 0])],
  ['tags in falling order', Buffer.from([2, 78, 1, 0, 77, 1, 0])],
  ['a tag longer than the frame', Buffer.from([1, 77, 100, 0])],
  ['more tags than there are', Buffer.from([3, 77, 1, 0])],
  ['a count of tags beyond reason', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07])],
  ['a negative count of tags', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])],
  ['an endless varint', Buffer.alloc(12, 0xff)],
]

const CLIENT_IDS: ReadonlyArray<readonly [string, Buffer]> = [
  ['null', Buffer.from([0xff, 0xff])],
  ['empty', shortString('')],
  ['not UTF-8', shortString(Buffer.from([0xff, 0xfe, 0xc0, 0x80]))],
  ['of 32767 bytes', shortString('c'.repeat(32_767))],
  ['of length -2', Buffer.from([0xff, 0xfe])],
  ['longer than the frame', Buffer.from([0x7f, 0xff, 65])],
]

async function sendFrame(probe: Probe, name: ApiName, version: number, frame: Buffer, note: string): Promise<void> {
  const answer = await probe.sendBytes(name, version, frame, note, SILENT_MS)
  // Those that other scenarios left open time out at a moment that each broker chooses.
  if (name === 'ListTransactions' && answer.transactionStates) answer.transactionStates = []
}

/** Sends the request with its tail, its tags and its client id changed, one after the other. */
async function oddFrames(probe: Probe, name: ApiName, version: number): Promise<void> {
  const api = apis[name] as Api
  const body = defaultBody(name, version)
  const send = (note: string, bytes: Buffer, parts: HeaderParts = {}) =>
    sendFrame(probe, name, version, Buffer.concat([header(api, version, parts), bytes]), note)
  await learnTopics(probe)
  await send('all defaults', body)
  await send('bytes behind', Buffer.concat([body, Buffer.from([1, 2, 3])]))
  for (const length of new Set([0, body.length >> 1, body.length - 1])) {
    if (length < body.length) await send(`body cut to ${length} bytes`, body.subarray(0, length))
  }
  for (const [note, clientId] of CLIENT_IDS) await send(`client id ${note}`, body, { clientId })
  if (requestHeaderVersion(api, version) < 2) return
  for (const [note, tags] of ODD_TAGS) {
    await send(`${note}, in the header`, body, { tags })
    await send(`${note}, in the body`, Buffer.concat([body.subarray(0, -1), tags]))
  }
}

/** Every byte of the body in turn becomes another one: lengths turn negative or huge, nulls come where none may be. */
async function otherBytes(probe: Probe, name: ApiName, version: number): Promise<void> {
  const body = defaultBody(name, version)
  const head = header(apis[name] as Api, version)
  await learnTopics(probe)
  for (let position = 0; position < body.length; position++) {
    for (const value of [0x00, 0x02, 0x7f, 0xff]) {
      if (body[position] === value) continue
      const changed = Buffer.from(body)
      changed[position] = value
      await sendFrame(probe, name, version, Buffer.concat([head, changed]), `byte ${position} is ${value}`)
    }
  }
}

/** The frames of every API in every version, for those named. */
export function frameScenariosOf(names: Iterable<ApiName>): Scenario[] {
  return [...new Set(names)].flatMap((api) => {
    const { kafkaVersions, request } = apis[api]
    const high = request.latestVersionUnstable ? kafkaVersions.high - 1 : kafkaVersions.high
    const odd: Scenario = {
      title: 'odd frames',
      api,
      run: (probe, version) => oddFrames(probe, api, version),
    }
    const other = (version: number): Scenario => ({
      title: 'one byte is another',
      api,
      from: version,
      to: version,
      run: (probe) => otherBytes(probe, api, version),
    })
    return [odd, ...[...new Set([kafkaVersions.low, high])].map(other)]
  })
}

function frameOf(name: ApiName, version: number, body: Body, correlationId: number): Buffer {
  const api = apis[name] as Api
  const head = header(api, version)
  head.writeInt32BE(correlationId, 4)
  const bytes = Buffer.concat([head, encode(api.request, version, body)])
  const size = Buffer.alloc(4)
  size.writeInt32BE(bytes.length)
  return Buffer.concat([size, bytes])
}

function sized(size: number, bytes: Buffer = Buffer.alloc(0)): Buffer {
  const field = Buffer.alloc(4)
  field.writeInt32BE(size)
  return Buffer.concat([field, bytes])
}

export const connectionScenarios: readonly Scenario[] = [
  {
    title: 'sizes that no frame may have',
    api: 'ApiVersions',
    from: 0,
    to: 0,
    run: async (probe) => {
      const raw = (note: string, bytes: Buffer) => probe.sendRaw('ApiVersions', 0, bytes, note, SILENT_MS)
      const whole = frameOf('ApiVersions', 0, {}, 1)
      for (const size of [-1, -2_147_483_648, 0, 1, 7, MAX_REQUEST_BYTES, MAX_REQUEST_BYTES + 1, 2_147_483_647]) {
        await raw(`size ${size}`, sized(size))
        await raw(`size ${size} and a request`, sized(size, whole.subarray(4)))
        probe.close()
      }
      for (const length of [1, 3, 4, 8, 12]) {
        await raw(`the first ${length} bytes`, whole.subarray(0, length))
        probe.close()
      }
      await raw('an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
      await raw('a TLS hello', Buffer.from('160301020001000001fc0303', 'hex'))
      await raw('a request after all', whole)
    },
  },
  {
    title: 'requests in pieces and in one go',
    api: 'ApiVersions',
    from: 0,
    to: 0,
    run: async (probe) => {
      const first = frameOf('ListGroups', 0, {}, 1)
      await probe.sendRaw('ListGroups', 0, first.subarray(0, 9), 'half a request', SILENT_MS)
      const two = Buffer.concat([frameOf('DescribeCluster', 0, {}, 1), frameOf('DescribeProducers', 0, {}, 2)])
      await probe.sendRaw('DescribeCluster', 0, two, 'two requests in one go')
      await probe.sendRaw('DescribeProducers', 0, Buffer.alloc(0), 'the second answer')
      const broken = Buffer.concat([frameOf('DescribeCluster', 0, {}, 1), sized(-5)])
      await probe.sendRaw('DescribeCluster', 0, broken, 'a request and nonsense')
      await probe.sendRaw('DescribeCluster', 0, Buffer.alloc(0), 'after the nonsense', SILENT_MS)
    },
  },
  {
    title: 'APIs and versions that do not exist',
    api: 'ApiVersions',
    from: 3,
    to: 3,
    run: async (probe) => {
      for (const key of [-1, 4, 5, 6, 7, 999, 32_767, -32_768]) {
        const bytes = Buffer.concat([header(apis.ApiVersions, 0, { key }), Buffer.from([0, 0, 0])])
        await probe.sendBytes('ApiVersions', 0, bytes, `key ${key}`, SILENT_MS)
      }
      for (const version of [5, 99, 32_767, -1, -32_768]) {
        const head = header(apis.ApiVersions, 3)
        head.writeInt16BE(version, 2)
        for (const body of [Buffer.alloc(0), defaultBody('ApiVersions', 3), Buffer.from([9, 9, 9])]) {
          await probe.sendBytes(
            'ApiVersions',
            0,
            Buffer.concat([head, body]),
            `version ${version}, ${body.length} bytes`,
            SILENT_MS,
          )
        }
      }
      // The header of another version than the request's: one byte of tags too few or too many.
      const bare = Buffer.concat([header(apis.ApiVersions, 0), Buffer.from([2, 65, 2, 65, 0])])
      bare.writeInt16BE(3, 2)
      await probe.sendBytes('ApiVersions', 3, bare, 'a header without tags', SILENT_MS)
      const tagged = Buffer.concat([header(apis.ApiVersions, 3)])
      tagged.writeInt16BE(0, 2)
      await probe.sendBytes('ApiVersions', 0, tagged, 'a header with tags', SILENT_MS)
    },
  },
]

/** What comes of versions just outside those that Apache Kafka serves; above its lowest, as Ottla serves more below. */
export function versionScenarioOf(names: Iterable<ApiName>): Scenario {
  return {
    title: 'versions of every API that nobody serves',
    api: 'ApiVersions',
    from: 4,
    to: 4,
    run: async (probe) => {
      for (const name of new Set(names)) {
        if (name === 'ApiVersions') continue
        const api = apis[name] as Api
        const { kafkaVersions, request } = api
        const high = request.latestVersionUnstable ? kafkaVersions.high - 1 : kafkaVersions.high
        for (const version of [high + 1, 127, -1]) {
          const head = header(api, high)
          head.writeInt16BE(version, 2)
          await probe.sendBytes(
            name,
            high,
            Buffer.concat([head, defaultBody(name, high)]),
            `version ${version}`,
            SILENT_MS,
          )
        }
      }
    },
  }
}
