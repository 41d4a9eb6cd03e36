import { expect, test } from 'vitest'
import { MetadataImage } from '../../metadata/image.ts'
import { metadataRecord } from '../../metadata/records.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { compress } from '../../protocol/records/compression.ts'
import { Codec } from '../../protocol/records/layout.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import type { RequestContext } from '../types.ts'
import { type Assignment, ClientMetrics, type PushedMetrics } from './client-metrics.ts'

const ID = 'T8ieC9GbRMy7po1nB9IrzQ'

function setUp() {
  const image = new MetadataImage()
  const time = new VirtualTime()
  const random = { bytes: (length: number) => Buffer.alloc(length, 7), below: () => 0 }
  const metrics = new ClientMetrics({ image, platform: { time, random }, maxBytes: 1000 })
  const set = (name: string, settings: Record<string, string | null>) => {
    for (const [setting, value] of Object.entries(settings)) {
      image.replay(metadataRecord('Config', { resourceType: 16, resourceName: name, name: setting, value }))
    }
    metrics.onMetadataChange(image.takeDelta())
  }
  const connection = { remoteAddress: '::ffff:10.0.0.7', remotePort: 5, clientSoftwareName: 'lib', closed: false }
  const context = { clientId: 'c-1', connection } as RequestContext
  const subscribe = (id = ID) => metrics.subscribe(id, context) as Assignment
  const push = (request: Partial<Parameters<ClientMetrics['push']>[0]> = {}) => {
    const body = { clientInstanceId: ID, subscriptionId: 0, terminating: false, compressionType: 0 }
    return metrics.push({ ...body, metrics: Buffer.from('otlp'), ...request }, context).name
  }
  return { metrics, time, set, subscribe, push, connection }
}

test('a client is told the union of what matches it, and as often as the most eager asks (KIP-714)', () => {
  const { set, subscribe } = setUp()
  set('a', { metrics: 'org.x,org.y', 'interval.ms': '2000', match: 'client_id=c-.*,client_source_address=10.0.0.7' })
  set('b', { metrics: 'org.y,org.z', 'interval.ms': '1000', match: 'client_software_name=lib' })
  set('c', { metrics: '*', 'interval.ms': '100', match: 'client_id=c' })
  expect(subscribe()).toMatchObject({ clientInstanceId: ID, metrics: ['org.x', 'org.y', 'org.z'], intervalMs: 1000 })
  set('c', { match: null })
  expect(subscribe()).toMatchObject({ metrics: ['*'], intervalMs: 100 })
})

test('a client without an id gets one; without subscriptions there is nothing to push', () => {
  const { subscribe } = setUp()
  const { clientInstanceId, metrics, intervalMs } = subscribe(ZERO_UUID)
  expect(clientInstanceId).not.toBe(ZERO_UUID)
  expect([metrics, intervalMs]).toEqual([[], 300_000])
})

test('a client asks and pushes once an interval', async () => {
  const { set, subscribe, push, time } = setUp()
  set('a', { metrics: '*', 'interval.ms': '1000' })
  const { id: subscriptionId } = subscribe()
  expect(subscribe()).toMatchObject({ name: 'THROTTLING_QUOTA_EXCEEDED' })
  await time.advance(1)
  expect([push({ subscriptionId }), push({ subscriptionId })]).toEqual(['NONE', 'THROTTLING_QUOTA_EXCEEDED'])
  await time.advance(1000)
  expect(push({ subscriptionId })).toBe('NONE')
})

test('another subscription makes the old id unknown, and then the client may ask at once', async () => {
  const { set, subscribe, push, time } = setUp()
  set('a', { metrics: 'org.x', 'interval.ms': '1000' })
  const { id: subscriptionId } = subscribe()
  set('a', { metrics: 'org.y' })
  await time.advance(1)
  expect(push({ subscriptionId })).toBe('UNKNOWN_SUBSCRIPTION_ID')
  expect(subscribe().metrics).toEqual(['org.y'])
})

test('after its last push a client is not heard any more, until it is forgotten with its connection', async () => {
  const { subscribe, push, connection } = setUp()
  const { id: subscriptionId } = subscribe()
  expect(push({ subscriptionId, terminating: true })).toBe('NONE')
  expect(push({ subscriptionId })).toBe('INVALID_REQUEST')
  connection.closed = true
  expect(push({ subscriptionId })).toBe('NONE')
})

test('reserved ids, unknown codecs and too many bytes are refused', () => {
  const { subscribe, push } = setUp()
  const { id: subscriptionId } = subscribe()
  expect(push({ clientInstanceId: ZERO_UUID })).toBe('INVALID_REQUEST')
  const last = { subscriptionId, terminating: true }
  expect(push({ ...last, metrics: Buffer.alloc(1001) })).toBe('TELEMETRY_TOO_LARGE')
})

test.each(Object.entries(Codec))('%s is decompressed into no more than telemetry.max.bytes', (_, compressionType) => {
  const { metrics, subscribe, push } = setUp()
  const pushed: PushedMetrics[] = []
  metrics.receiver = (one) => pushed.push(one)
  const send = (bytes: Buffer) => {
    const clientInstanceId = `T8ieC9GbRMy7po1nB9Ir${pushed.length}${bytes.length > 1000 ? 'w' : 'g'}`
    const { id: subscriptionId } = subscribe(clientInstanceId)
    return push({ clientInstanceId, subscriptionId, compressionType, metrics: compress(compressionType, bytes) })
  }
  expect(send(Buffer.alloc(1000, 'x'))).toBe('NONE')
  expect(pushed[0]!.metrics.toString()).toBe('x'.repeat(1000))
  expect(send(Buffer.alloc(10_000, 'x'))).toBe(compressionType === 0 ? 'TELEMETRY_TOO_LARGE' : 'INVALID_RECORD')
  expect(pushed.length).toBe(1)
})
