import { describe, expect, test } from 'vitest'
import { MemoryNetwork } from '../platform/memory-network.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import { apis } from '../protocol/api-keys.ts'
import { FrameDecoder } from '../protocol/frame-decoder.ts'
import { decodeRequestHeader, encodeResponse } from '../protocol/frames.ts'
import { ControllerChannel } from './controller-channel.ts'

const NOT_CONTROLLER = 41

/** A controller on a host of its own, which says who answered. */
class FakeController {
  isActive = true
  isMute = false
  /** Takes its time to hand out ids, and answers what came by the same connection in order. */
  isSlow = false
  readonly id: number

  constructor(network: MemoryNetwork, id: number) {
    this.id = id
    void network.of(`c${id}`).listen({ host: `c${id}`, port: 9093 }, (connection) => {
      const decoder = new FrameDecoder(10_000)
      let isHeldUp = false
      connection.handle({
        data: (chunk) => {
          decoder.push(chunk)
          for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
            isHeldUp ||= this.isSlow && decodeRequestHeader(frame).api === apis.AllocateProducerIds
            if (!this.isMute && !isHeldUp) connection.write(this.answer(frame))
          }
        },
        drained() {},
        closed() {},
      })
    })
  }

  answer(frame: Buffer): Buffer[] {
    const { api, apiVersion, correlationId } = decodeRequestHeader(frame)
    if (api === apis.ApiVersions) {
      const apiKeys = [apis.ApiVersions, apis.AllocateProducerIds, apis.BrokerHeartbeat].map(({ key }) => ({
        apiKey: key,
        minVersion: 0,
        maxVersion: 0,
      }))
      return encodeResponse(apis.ApiVersions, 0, correlationId, { errorCode: apiVersion > 0 ? 35 : 0, apiKeys })
    }
    if (api === apis.BrokerHeartbeat) return encodeResponse(apis.BrokerHeartbeat, apiVersion, correlationId, {})
    const body = { errorCode: this.isActive ? 0 : NOT_CONTROLLER, producerIdStart: this.id, producerIdLen: 1 }
    return encodeResponse(apis.AllocateProducerIds, apiVersion, correlationId, body)
  }
}

function world() {
  const time = new VirtualTime()
  const network = new MemoryNetwork(time)
  const controllers = [1, 2].map((id) => new FakeController(network, id))
  const state = { leader: 1, isHere: false }
  const channel = new ControllerChannel({
    network: network.of('here'),
    time,
    clientId: 'test',
    listenerName: 'CONTROLLER',
    requestTimeoutMs: 30_000,
    maxResponseBytes: 10_000,
    leader: () => (state.leader < 0 ? undefined : { id: state.leader, host: `c${state.leader}`, port: 9093 }),
    isHere: () => state.isHere,
    serve: (frame) => controllers[0]!.answer(frame),
  })
  const ask = (timeoutMs?: number) => {
    const outcome: { value?: unknown; failures: number } = { failures: 0 }
    const onFailure = () => {
      outcome.failures++
    }
    const options = { ...(timeoutMs && { timeoutMs }), onFailure }
    channel
      .request(apis.AllocateProducerIds, () => ({ brokerId: 1, brokerEpoch: 1 }), options)
      .then(
        ({ response }) => {
          outcome.value = response.producerIdStart
        },
        (error) => {
          outcome.value = error.reason
        },
      )
    return outcome
  }
  return { time, network, controllers, state, channel, ask }
}

describe('the way to the active controller', () => {
  test('over the network, or within the process', async () => {
    const { time, state, ask } = world()
    const there = ask()
    await time.advance(10)
    expect(there.value).toBe(1)
    state.isHere = true
    state.leader = -1
    const here = ask()
    await time.advance(10)
    expect(here.value).toBe(1)
  })

  test('one that is not active any more is asked again, until another leads', async () => {
    const { time, controllers, state, channel, ask } = world()
    controllers[0]!.isActive = false
    const answer = ask()
    await time.advance(500)
    expect(answer.value).toBeUndefined()
    expect(answer.failures).toBeGreaterThan(5)
    state.leader = 2
    channel.leaderChanged()
    await time.advance(100)
    expect(answer.value).toBe(2)
  })

  test('a leader that has fallen silent holds nobody up once another is known', async () => {
    const { time, controllers, state, channel, ask } = world()
    controllers[0]!.isMute = true
    const answer = ask()
    await time.advance(3000)
    expect(answer.failures).toBe(0)
    state.leader = 2
    channel.leaderChanged()
    await time.advance(100)
    expect(answer).toEqual({ value: 2, failures: 1 })
  })

  test('what takes long does not hold up that this broker lives', async () => {
    const { time, controllers, channel, ask } = world()
    controllers[0]!.isSlow = true
    const slow = ask()
    let isHeard = false
    const heartbeat = { brokerId: 1, brokerEpoch: 1, currentMetadataOffset: 1, wantFence: false, wantShutDown: false }
    void channel
      .request(apis.BrokerHeartbeat, () => heartbeat)
      .then(() => {
        isHeard = true
      })
    await time.advance(100)
    expect([slow.value, isHeard]).toEqual([undefined, true])
    channel.close()
    await time.advance(100)
    expect(slow.value).toBe('disconnected')
  })

  test('where nobody leads, a request is given up in time', async () => {
    const { time, state, ask, channel } = world()
    state.leader = -1
    const answer = ask(1000)
    await time.advance(1000)
    expect(answer.value).toBe('timed out')
    const last = ask()
    channel.close()
    await time.advance(100)
    expect(last.value).toBe('disconnected')
  })
})
