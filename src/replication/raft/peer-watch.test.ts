import { expect, test } from 'vitest'
import { silentLogger } from '../../platform/logger.ts'
import { World } from './quorum-world.testkit.ts'

/** Three voters, and what they have told. */
function world() {
  const told: string[] = []
  const tell = (text: string) => told.push(text)
  const nodes = new World(3, { logger: { ...silentLogger, info: tell, warn: tell } })
  nodes.format(3)
  return { nodes, told }
}

async function pass(nodes: World, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await nodes.time.advance(1000)
}

test('who is alone says so after some seconds, and who is missing; then once a minute, and when it is over', async () => {
  const { nodes, told } = world()
  await nodes.nodes[0]!.start()
  await pass(nodes, 4)
  expect(told).toEqual([])
  await pass(nodes, 116)
  const missing = 'no answer from host-2:9093, host-3:9093; no leader at host-1:9093'
  expect(told).toEqual([
    expect.stringMatching(new RegExp(`^The metadata quorum has not been reached for [56] s: ${missing}$`)),
    expect.stringMatching(new RegExp(`^The metadata quorum has not been reached for 6[56] s: ${missing}$`)),
  ])
  await nodes.nodes[1]!.start()
  await nodes.until(() => told.length > 2)
  expect(told[2]).toMatch(/^The metadata quorum is reached: (this node|host-2:9093) leads it$/)
  await pass(nodes, 60)
  expect(told.length).toBe(3)
})

test('a leader that dies is no reason for a word, and one of many breaks a minute is', async () => {
  const { nodes, told } = world()
  await nodes.startAll()
  await nodes.until(() => nodes.leader !== undefined)
  nodes.leader!.crash()
  await pass(nodes, 30)
  expect(told).toEqual([])
  const alone = nodes.nodes.find(({ quorum }) => quorum !== undefined && quorum.leaderId !== -1)!
  const others = nodes.nodes.filter((node) => node !== alone)
  for (let round = 0; round < 3; round++) {
    for (const node of others) if (node.quorum !== undefined) node.crash()
    await pass(nodes, 15)
    for (const node of others) await node.start()
    await pass(nodes, 4)
  }
  expect(told).toEqual([
    expect.stringMatching(/^The metadata quorum has not been reached for \d+ s: no answer from /),
    expect.stringMatching(/^The metadata quorum is reached: /),
  ])
})
