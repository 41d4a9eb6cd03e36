import { AssertionError } from 'node:assert'
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../platform/logger.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { type Api, apis } from '../protocol/api-keys.ts'
import { decodeResponse, encodeRequest } from '../protocol/frames.ts'
import type { InputOf, Message } from '../protocol/schema.ts'
import { type AnyHandler, ServedApis } from './apis.ts'
import { Dispatcher } from './dispatch.ts'
import { handler as heartbeat } from './handlers/heartbeat.ts'
import { handler as produce } from './handlers/produce.ts'
import { CLOSE_CONNECTION, type ConnectionInfo, type Services } from './types.ts'

const CONNECTION: ConnectionInfo = {
  id: 1,
  listenerName: 'PLAINTEXT',
  listenerKind: 'broker',
  remoteAddress: '10.0.0.1',
  remotePort: 1,
  principal: 'User:ANONYMOUS',
  clientSoftwareName: undefined,
  clientSoftwareVersion: undefined,
  closed: false,
  mutedUntilMs: 0,
  abandon: undefined,
}

/** Serves one API only, by a handler whose `handle` is the test's. */
function setUp(api: Api, handler: AnyHandler, handle: AnyHandler['handle']) {
  const log: string[] = []
  const time = new VirtualTime()
  const logger = {
    ...silentLogger,
    error: (line: string) => log.push(line),
    info: (line: string) => log.push(line),
    warn: (line: string) => log.push(line),
  }
  const load = async () => ({ ...handler, handle })
  const { kafkaVersions: versions, listeners } = api
  const served = { api, versions, listeners, forwarded: 'no' as const, load, loaded: undefined }
  const quotas = { limitsRequests: false }
  const services = { platform: { time }, logger, quotas } as unknown as Services
  const dispatcher = new Dispatcher(new ServedApis([served]), services)
  const ask = async <Q extends Message, R extends Message>(to: Api<Q, R>, version: number, body: InputOf<Q>) => {
    const frame = Buffer.concat(encodeRequest(to, version, { correlationId: 3, clientId: 'c' }, body)).subarray(4)
    const answer = await dispatcher.serve(frame, CONNECTION, 0)
    if (typeof answer === 'symbol') return answer
    return decodeResponse(to, version, Buffer.concat(answer).subarray(4))
  }
  return { ask, log, time, served }
}

describe('Dispatcher and quotas (KIP-219)', () => {
  it('tells the client how long to pause, and starts nothing of its connection meanwhile', async () => {
    const { ask, time } = setUp(apis.Heartbeat, heartbeat, async (_, context) => {
      context.throttleMs = 700
      return { errorCode: 0, throttleTimeMs: 0 }
    })
    expect(await ask(apis.Heartbeat, 4, { groupId: 'g' })).toMatchObject({ body: { throttleTimeMs: 700 } })
    expect(CONNECTION.mutedUntilMs).toBe(time.monotonicMs() + 700)
    // This version has no place to say it.
    expect(await ask(apis.Heartbeat, 0, { groupId: 'g' })).toMatchObject({ body: { errorCode: 0 } })
  })
})

describe('Dispatcher', () => {
  it('closes the connection, and nothing else, when a handler cannot be read', async () => {
    const { ask, log, served } = setUp(apis.Heartbeat, heartbeat, () => ({}))
    const { load } = served
    Object.assign(served, { load: () => Promise.reject(new Error('too many open files')) })
    expect(await ask(apis.Heartbeat, 4, { groupId: 'g' })).toBe(CLOSE_CONNECTION)
    expect(log.join()).toContain('too many open files')
    Object.assign(served, { load })
    expect(await ask(apis.Heartbeat, 4, { groupId: 'g' })).toMatchObject({ body: { errorCode: 0 } })
  })

  const bug = () => {
    throw new TypeError('a bug')
  }

  it.each([
    ['thrown', bug],
    ['rejected', async () => bug()],
  ])('answers UNKNOWN_SERVER_ERROR to a bug that is %s, and logs it', async (_, handle) => {
    const { ask, log } = setUp(apis.Heartbeat, heartbeat, handle)
    const answer = await ask(apis.Heartbeat, 4, { groupId: 'g' })
    expect(answer).toMatchObject({ correlationId: 3, body: { errorCode: -1 } })
    expect(log.join()).toContain('TypeError: a bug')
  })

  it('closes the connection where a failure has no answer', async () => {
    const { ask } = setUp(apis.Produce, produce, bug)
    expect(await ask(apis.Produce, 9, { acks: 0 })).toBe(CLOSE_CONNECTION)
  })

  it('stops the process when an invariant is broken', async () => {
    const { ask, time } = setUp(apis.Heartbeat, heartbeat, () => {
      throw new AssertionError({ message: 'two and two' })
    })
    expect(await ask(apis.Heartbeat, 4, { groupId: 'g' })).toBe(CLOSE_CONNECTION)
    await expect(time.advance(0)).rejects.toThrow('two and two')
  })

  it('closes the connection on an API that is not served', async () => {
    const { ask, log } = setUp(apis.Heartbeat, heartbeat, () => ({}))
    expect(await ask(apis.EndTxn, 3, {})).toBe(CLOSE_CONNECTION)
    expect(log).toHaveLength(1)
    expect(log[0]).toContain('EndTxn version 3 is not served here')
  })
})
