import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodePlatform } from '../../platform/node-platform.ts'
import { apis } from '../../protocol/api-keys.ts'
import { startTestBroker, type TestBroker } from '../../testing/test-broker.ts'
import { type Address, AdminClient, AdminError, check } from './client.ts'
import { parseServers } from './command.ts'
import { labelled, table } from './table.ts'

/** Nothing listens there. */
const NOWHERE: Address = { host: '127.0.0.1', port: 1 }

let broker: TestBroker
let open: AdminClient[] = []
beforeAll(async () => {
  broker = await startTestBroker()
})
afterAll(async () => {
  for (const client of open) client.close()
  open = []
  await broker.server.stop()
})

function clientOf(servers: readonly Address[], viaController = false): AdminClient {
  const { network, time } = nodePlatform()
  const client = new AdminClient({
    network,
    time,
    servers,
    viaController,
    clientId: 'test',
    requestTimeoutMs: 10_000,
    apiTimeoutMs: 10_000,
    retryBackoffMs: 1,
  })
  open.push(client)
  return client
}

const here = () => ({ host: '127.0.0.1', port: broker.port })

describe('whom a command asks', () => {
  test('the first server that answers', async () => {
    const { brokers } = await clientOf([NOWHERE, here()]).cluster()
    expect([...brokers.values()]).toEqual([{ id: 1, ...here(), rack: null }])
    const nowhere = clientOf([NOWHERE, { ...NOWHERE, host: 'localhost' }]).cluster()
    await expect(nowhere).rejects.toThrow(/^no broker answers at 127.0.0.1:1,localhost:1: /)
  })

  test('a broker that the cluster has, and the coordinator of a group', async () => {
    const client = clientOf([here()])
    const { groups } = await client.broker(1, apis.ListGroups, () => ({}))
    expect(groups).toEqual([])
    await expect(client.broker(9, apis.ListGroups, () => ({}))).rejects.toThrow('broker 9 is not available')
    expect(await client.coordinatorOf('g')).toMatchObject({ nodeId: 1, ...here() })
    expect(await client.registeredBrokers()).toEqual(new Set([1]))
  })

  test('the active controller, where controllers are asked', async () => {
    const { port } = broker.server.listeners.find(({ name }) => name === 'CONTROLLER')!
    const client = clientOf([{ host: '127.0.0.1', port }], true)
    expect(client.asksBrokers).toBe(false)
    const timeoutMs = 1000
    const answer = await client.controller(apis.ListPartitionReassignments, () => ({ timeoutMs, topics: null }))
    expect(answer.topics).toEqual([])
    // Topics are nothing that a controller is asked for.
    await expect(client.controller(apis.FindCoordinator, () => ({}))).rejects.toThrow('does not serve FindCoordinator')
  })

  test('again, for what passes', async () => {
    let attempts = 0
    const client = clientOf([here()])
    const answer = await client.retrying(async () => {
      if (++attempts < 3) check(16)
      return attempts
    })
    expect(answer).toBe(3)
    const refused = client.retrying(async () => check(17, 'why'))
    await expect(refused).rejects.toThrow(AdminError)
    await expect(refused).rejects.toThrow(/^INVALID_TOPIC_EXCEPTION: why$/)
  })
})

test('servers of a command line', () => {
  expect(parseServers('a:1, [::1]:2,PLAINTEXT://b:3,')).toEqual([
    { host: 'a', port: 1 },
    { host: '::1', port: 2 },
    { host: 'b', port: 3 },
  ])
  for (const text of ['', ',', 'a', 'a:', 'a:0', 'a:65536', ':1', '::1:2']) {
    expect(() => parseServers(text), text).toThrow()
  }
})

test('tables are aligned, and what they show cannot command a terminal', () => {
  expect(
    table(
      ['A', 'LONG', 'C'],
      [
        ['wide', 1, ''],
        ['\u001b[2J', 22, 'x'],
      ],
    ),
  ).toEqual(['A     LONG  C', 'wide  1     -', '?[2J  22    x'])
  expect(
    labelled([
      ['a', 1],
      ['bcd', ''],
    ]),
  ).toEqual(['a:   1', 'bcd:'])
})
