import { describe, expect, test } from 'vitest'
import { MemoryNetwork } from '../../platform/memory-network.ts'
import type { Connection } from '../../platform/network.ts'
import { VirtualTime } from '../../platform/virtual-time.ts'
import { apis } from '../../protocol/api-keys.ts'
import { FrameDecoder } from '../../protocol/frame-decoder.ts'
import { decodeRequestHeader, encodeResponse } from '../../protocol/frames.ts'
import { NodeClient } from './node-client.ts'

/** A node that says of itself what it is told to, and answers DescribeCluster with the version it was asked in. */
class Peer {
  versions = new Map([
    [apis.ApiVersions.key, { min: 0, max: 4 }],
    [apis.DescribeCluster.key, { min: 0, max: 1 }],
  ])
  readonly asked: string[] = []
  isMute = false
  connections: Connection[] = []

  accept = (connection: Connection): void => {
    this.connections.push(connection)
    const decoder = new FrameDecoder(10_000)
    connection.handle({
      data: (chunk) => {
        decoder.push(chunk)
        for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) this.#answer(connection, frame)
      },
      drained() {},
      closed() {},
    })
  }

  #answer(connection: Connection, frame: Buffer): void {
    const { api, apiVersion, correlationId } = decodeRequestHeader(frame)
    this.asked.push(`${api.name} ${apiVersion}`)
    if (this.isMute && api !== apis.ApiVersions) return
    if (api === apis.ApiVersions) {
      const isKnown = apiVersion <= this.versions.get(apis.ApiVersions.key)!.max
      const apiKeys = [...this.versions].map(([apiKey, { min, max }]) => ({ apiKey, minVersion: min, maxVersion: max }))
      const body = { errorCode: isKnown ? 0 : 35, apiKeys, throttleTimeMs: 0 }
      connection.write(encodeResponse(apis.ApiVersions, isKnown ? apiVersion : 0, correlationId, body))
      return
    }
    const body = {
      throttleTimeMs: 0,
      errorCode: 0,
      errorMessage: null,
      clusterId: `v${apiVersion}`,
      controllerId: 1,
      brokers: [],
    }
    connection.write(encodeResponse(apis.DescribeCluster, apiVersion, correlationId, body))
  }
}

async function world() {
  const time = new VirtualTime()
  const network = new MemoryNetwork(time)
  network.delayMs = () => 1
  const peer = new Peer()
  await network.of('peer').listen({ host: 'peer', port: 9092 }, peer.accept)
  const client = new NodeClient({
    network: network.of('here'),
    time,
    host: 'peer',
    port: 9092,
    clientId: 'test',
    requestTimeoutMs: 1000,
    maxResponseBytes: 10_000,
  })
  const ask = () => {
    const outcome: { value?: unknown } = {}
    client
      .request(apis.DescribeCluster, () => ({ includeClusterAuthorizedOperations: false }))
      .then(({ response }) => {
        outcome.value = response.clusterId
      })
      .catch((error) => {
        outcome.value = error.reason
      })
    return outcome
  }
  return { time, network, peer, client, ask }
}

describe('a connection to another node', () => {
  test('asks for versions once, and uses the highest that both know (KIP-35)', async () => {
    const { time, peer, ask } = await world()
    const answers = [ask(), ask()]
    await time.advance(10)
    answers.push(ask())
    await time.advance(10)
    expect(answers.map(({ value }) => value)).toEqual(['v1', 'v1', 'v1'])
    expect(peer.asked).toEqual(['ApiVersions 4', 'DescribeCluster 1', 'DescribeCluster 1', 'DescribeCluster 1'])
  })

  test('an old node says in version 0 what it knows', async () => {
    const { time, peer, ask } = await world()
    peer.versions.set(apis.ApiVersions.key, { min: 0, max: 2 })
    peer.versions.set(apis.DescribeCluster.key, { min: 0, max: 0 })
    const answer = ask()
    await time.advance(10)
    expect(answer.value).toBe('v0')
    expect(peer.asked).toEqual(['ApiVersions 4', 'ApiVersions 0', 'DescribeCluster 0'])
  })

  test('no common version, no request', async () => {
    const { time, peer, ask } = await world()
    peer.versions.delete(apis.DescribeCluster.key)
    const answer = ask()
    await time.advance(10)
    expect(answer.value).toBe('unsupported version')
    expect(peer.asked).toEqual(['ApiVersions 4'])
  })

  test('what is not answered in time fails, with all that is under way, and the next request connects anew', async () => {
    const { time, peer, ask } = await world()
    peer.isMute = true
    const answers = [ask(), ask()]
    await time.advance(999)
    expect(answers.map(({ value }) => value)).toEqual([undefined, undefined])
    await time.advance(1)
    expect(answers.map(({ value }) => value)).toEqual(['timed out', 'timed out'])
    peer.isMute = false
    const next = ask()
    await time.advance(10)
    expect(next.value).toBe('v1')
    expect(peer.connections).toHaveLength(2)
  })

  test('a node that is not there, or goes away', async () => {
    const { time, network, ask, client, peer } = await world()
    peer.isMute = true
    const first = ask()
    await time.advance(10)
    network.crash('peer')
    await time.advance(10)
    expect(first.value).toBe('disconnected')
    const second = ask()
    await time.advance(10)
    expect(second.value).toBe('disconnected')
    client.close()
    const third = ask()
    await time.advance(10)
    expect(third.value).toBe('disconnected')
    expect(client.pendingRequests).toBe(0)
  })

  test('nobody listens there: known from the last try to connect', async () => {
    const { time, network, ask, client, peer } = await world()
    const isRefused = async () => {
      ask()
      await time.advance(10)
      return client.isRefused
    }
    expect(await isRefused()).toBe(false)
    network.crash('peer')
    await time.advance(10)
    expect(client.isRefused).toBe(false)
    expect(await isRefused()).toBe(true)
    await network.of('peer').listen({ host: 'peer', port: 9092 }, peer.accept)
    expect(await isRefused()).toBe(false)
  })

  test.each([
    ['a frame that is too large', Buffer.from([0x7f, 0, 0, 0])],
    ['an answer to something else', Buffer.from([0, 0, 0, 5, 0, 0, 0, 99, 0])],
    ['an answer that is cut off', Buffer.from([0, 0, 0, 4, 0, 0, 0, 2])],
  ])('%s ends the connection', async (_, bytes) => {
    const { time, peer, ask } = await world()
    peer.isMute = true
    const answer = ask()
    await time.advance(10)
    peer.connections[0]!.write([bytes])
    await time.advance(10)
    expect(answer.value).toBe('disconnected')
  })
})
