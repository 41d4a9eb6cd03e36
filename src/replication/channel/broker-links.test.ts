import { describe, expect, test } from 'vitest'
import { MemoryNetwork } from '../../platform/memory-network.ts'
import type { Connection } from '../../platform/network.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { apis } from '../../protocol/api-keys.ts'
import { FrameDecoder } from '../../protocol/frame-decoder.ts'
import { decodeRequestHeader, encodeResponse } from '../../protocol/frames.ts'
import { type BrokerAddress, BrokerLinks } from './broker-links.ts'

/** A broker that answers DescribeCluster with its name. */
class Broker {
  readonly name: string
  connections = 0
  open = 0
  isMute = false

  constructor(name: string) {
    this.name = name
  }

  accept = (connection: Connection): void => {
    this.connections++
    this.open++
    const decoder = new FrameDecoder(10_000)
    connection.handle({
      data: (chunk) => {
        decoder.push(chunk)
        for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) this.#answer(connection, frame)
      },
      drained() {},
      closed: () => {
        this.open--
      },
    })
  }

  #answer(connection: Connection, frame: Buffer): void {
    const { api, apiVersion, correlationId } = decodeRequestHeader(frame)
    if (api === apis.ApiVersions) {
      const apiKeys = [
        { apiKey: apis.ApiVersions.key, minVersion: 0, maxVersion: 4 },
        { apiKey: apis.DescribeCluster.key, minVersion: 0, maxVersion: 1 },
      ]
      connection.write(
        encodeResponse(apis.ApiVersions, apiVersion, correlationId, { errorCode: 0, apiKeys, throttleTimeMs: 0 }),
      )
    } else if (!this.isMute) {
      const body = {
        throttleTimeMs: 0,
        errorCode: 0,
        errorMessage: null,
        clusterId: this.name,
        controllerId: 1,
        brokers: [],
      }
      connection.write(encodeResponse(apis.DescribeCluster, apiVersion, correlationId, body))
    }
  }
}

async function cluster() {
  const time = new VirtualTime()
  const network = new MemoryNetwork(time)
  network.delayMs = () => 1
  const brokers = { a: new Broker('a'), b: new Broker('b'), moved: new Broker('moved') }
  for (const [host, broker] of Object.entries(brokers)) {
    await network.of(host).listen({ host, port: 9092 }, broker.accept)
  }
  const addresses = new Map<number, BrokerAddress>([
    [1, { host: 'a', port: 9092 }],
    [2, { host: 'b', port: 9092 }],
  ])
  const links = new BrokerLinks({
    network: network.of('here'),
    time,
    clientId: 'test',
    requestTimeoutMs: 1000,
    maxResponseBytes: 10_000,
    endpointOf: (brokerId) => addresses.get(brokerId),
  })
  const ask = (brokerId: number, options?: Parameters<BrokerLinks['request']>[3]) => {
    const outcome: { value?: unknown } = {}
    links
      .request(brokerId, apis.DescribeCluster, () => ({ includeClusterAuthorizedOperations: false }), options)
      .then(({ response }) => {
        outcome.value = response.clusterId
      })
      .catch((error) => {
        outcome.value = error.reason
      })
    return outcome
  }
  return { time, network, brokers, addresses, links, ask }
}

describe('links between brokers', () => {
  test('one connection to each broker', async () => {
    const { time, brokers, ask } = await cluster()
    const answers = [ask(1), ask(2), ask(1)]
    await time.advance(10)
    answers.push(ask(2))
    await time.advance(10)
    expect(answers.map(({ value }) => value)).toEqual(['a', 'b', 'a', 'b'])
    expect([brokers.a.connections, brokers.b.connections]).toEqual([1, 1])
  })

  test('a broker that is not there is not waited for', async () => {
    const { time, ask } = await cluster()
    const answer = ask(3)
    await time.advance(0)
    expect(answer.value).toBe('disconnected')
  })

  test('a broker that moved is asked where it is now', async () => {
    const { time, brokers, addresses, ask } = await cluster()
    ask(1)
    await time.advance(10)
    addresses.set(1, { host: 'moved', port: 9092 })
    const answer = ask(1)
    await time.advance(10)
    expect(answer.value).toBe('moved')
    expect(brokers.a.open).toBe(0)
  })

  test('who waits for a broker that left is told at once, others are left alone', async () => {
    const { time, brokers, addresses, links, ask } = await cluster()
    brokers.a.isMute = true
    brokers.b.isMute = true
    const answers = [ask(1), ask(2)]
    await time.advance(10)
    addresses.delete(1)
    links.brokersChanged([1, 2, 3])
    await time.advance(10)
    expect(answers.map(({ value }) => value)).toEqual(['disconnected', undefined])
    expect([brokers.a.open, brokers.b.open]).toEqual([0, 1])
  })

  test('a request may have a timeout of its own', async () => {
    const { time, brokers, ask } = await cluster()
    brokers.a.isMute = true
    const [short, long] = [ask(1, { timeoutMs: 100 }), ask(2, { timeoutMs: 5000 })]
    brokers.b.isMute = true
    await time.advance(100)
    expect([short.value, long.value]).toEqual(['timed out', undefined])
    await time.advance(4899)
    expect(long.value).toBe(undefined)
    await time.advance(1)
    expect(long.value).toBe('timed out')
  })

  test('no version that is wanted, no request', async () => {
    const { time, ask } = await cluster()
    const answer = ask(1, { minVersion: 2 })
    await time.advance(10)
    expect(answer.value).toBe('unsupported version')
  })

  test('closed links answer nobody', async () => {
    const { time, brokers, links, ask } = await cluster()
    brokers.a.isMute = true
    const under = ask(1)
    await time.advance(10)
    links.close()
    const after = ask(2)
    await time.advance(10)
    expect([under.value, after.value]).toEqual(['disconnected', 'disconnected'])
    expect(brokers.a.open).toBe(0)
  })
})
