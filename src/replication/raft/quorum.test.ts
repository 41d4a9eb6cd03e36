import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../platform/logger.ts'
import { Journal, LOG, LOG_DIRECTORY, serde } from './quorum.testkit.ts'
import { Quorum } from './quorum.ts'
import type { QuorumNodeOptions } from './quorum-options.ts'
import { type Node, World } from './quorum-world.testkit.ts'
import { MetadataLogError, NotLeaderError } from './types.ts'

/** Three voters, one of which leads. */
async function ledWorld(): Promise<World> {
  const world = new World(3)
  world.format(3)
  await world.startAll()
  await world.until(() => world.leader !== undefined)
  return world
}

/** Snapshots of every few records, which need no log then. */
const SNAPSHOTS = { snapshotMaxNewRecordBytes: 400, retentionBytes: 0, segmentBytes: 300 }

/** The leader has 20 records, and snapshots of most of them, with which the beginning of the log goes. */
async function appendAndSnapshot(world: World): Promise<Node> {
  const leader = world.leader!
  for (let i = 0; i < 20; i++) {
    const appended = leader.quorum!.append([`record ${i}`])
    await world.until(() => leader.journal.records.length === i + 1)
    await appended
  }
  await world.until(() => leader.quorum!.logStartOffset > 0)
  return leader
}

describe('a quorum of three', () => {
  it('elects a leader, and what it commits all have', async () => {
    const world = await ledWorld()
    const { quorum } = world.leader!
    const offsets = Promise.all([quorum!.append(['a', 'b']), quorum!.append(['c']), quorum!.append(['d'])])
    await world.until(() => world.nodes.every(({ journal }) => journal.records.length === 4))
    // LeaderChange, KRaftVersion and KRaftVoters come first.
    expect(await offsets).toEqual([4, 5, 6])
    for (const { journal } of world.nodes) expect(journal.records).toEqual(['a', 'b', 'c', 'd'])
    for (const { journal } of world.nodes) expect(journal.leaders.at(-1)).toBe(`${world.leader!.id} in 1`)
  })

  it('goes on when its leader dies, and forgets nothing', async () => {
    const world = new World(3)
    world.format(3)
    await world.startAll()
    const expected: string[] = []
    for (let round = 0; round < 5; round++) {
      await world.until(() => world.leader?.journal.leaders.at(-1)?.startsWith(`${world.leader.id} `) === true)
      const leader = world.leader!
      const appended = leader.quorum!.append([`round ${round}`])
      await world.until(() => leader.journal.records.at(-1) === `round ${round}`)
      await appended
      expected.push(`round ${round}`)
      leader.crash()
      await world.until(() => world.leader !== undefined)
      await leader.start()
    }
    await world.until(() => world.nodes.every(({ journal }) => journal.records.length === expected.length))
    for (const { journal } of world.nodes) expect(journal.records).toEqual(expected)
  })

  it('what a leader cannot commit it does not acknowledge', async () => {
    const world = await ledWorld()
    const leader = world.leader!
    for (const { id } of world.nodes) {
      world.network.cut(`host-${id}`, `host-${leader.id}`)
      world.network.cut(`host-${leader.id}`, `host-${id}`)
    }
    let outcome: unknown
    leader.quorum!.append(['lost']).catch((error) => {
      outcome = error
    })
    await world.until(() => outcome !== undefined)
    expect(outcome).toBeInstanceOf(NotLeaderError)
    expect(leader.journal.aborts).toBeGreaterThan(0)
    await world.until(() => world.leader !== undefined && world.leader !== leader)
    const next = world.leader!
    await world.until(() => next.journal.leaders.at(-1)?.startsWith(`${next.id} `) === true)
    const kept = next.quorum!.append(['kept'])
    world.network.heal()
    await world.until(() => world.nodes.every(({ journal }) => journal.records.at(-1) === 'kept'))
    await kept
    for (const { journal } of world.nodes) expect(journal.records).toEqual(['kept'])
  })

  it('a node that was away too long gets a snapshot, and observers have everything too', async () => {
    const world = new World(4, SNAPSHOTS)
    world.format(3)
    for (const node of world.nodes.slice(0, 2)) await node.start()
    await world.until(() => world.leader !== undefined)
    const leader = await appendAndSnapshot(world)
    expect(leader.quorum!.logStartOffset).toBeGreaterThan(0)
    for (const node of world.nodes.slice(2)) await node.start()
    await world.until(() => world.nodes.every(({ journal }) => journal.records.length === 20))
    for (const { journal } of world.nodes) expect(journal.records).toEqual(leader.journal.records)
    const late = world.nodes[3]!
    expect(late.quorum!.latestSnapshot!.offset).toBeGreaterThan(0)
    late.crash()
    await late.start()
    await world.until(() => late.journal.records.length === 20)
  })

  it.each(['open', 'write', 'sync', 'rename'])(
    'a node that cannot %s a snapshot that it fetches tries again now and then, and says so once',
    async (operation) => {
      const told: string[] = []
      const logger = { ...silentLogger, error: (text: string) => told.push(text) }
      const world = new World(4, { ...SNAPSHOTS, logger })
      world.format(3)
      for (const node of world.nodes.slice(0, 3)) await node.start()
      await world.until(() => world.leader !== undefined)
      await appendAndSnapshot(world)
      const full = world.nodes[3]!
      full.disk.fault = (now, path) => (now === operation && path.endsWith('.part') ? 'ENOSPC' : undefined)
      await full.start()
      await world.time.advance(10_000)
      expect(told).toEqual([expect.stringMatching(/^the metadata snapshot at offset \d+ cannot be kept \(ENOSPC\)/)])
      expect(full.disk.list(LOG_DIRECTORY).filter(({ name }) => name.endsWith('.part'))).toEqual([])
      full.disk.fault = () => undefined
      await world.until(() => full.journal.records.length === 20)
      full.crash()
      await full.start()
      await world.until(() => full.journal.records.length === 20)
    },
  )

  it('a leader that cannot write gives way to one that can', async () => {
    const world = await ledWorld()
    await world.time.advance(5000)
    const full = world.leader!
    full.disk.fault = (operation, path) => (operation === 'write' && path === LOG ? 'ENOSPC' : undefined)
    await expect(full.quorum!.append(['refused'])).rejects.toBeInstanceOf(MetadataLogError)
    // It may be elected again, and gives up again.
    await world.until(() => world.leader !== undefined && world.leader !== full)
    const { quorum, journal, id } = world.leader!
    await world.until(() => journal.leaders.at(-1)?.startsWith(`${id} `) === true)
    const kept = quorum!.append(['kept'])
    await world.until(() => journal.records.length > 0)
    await kept
    full.disk.fault = () => undefined
    await world.until(() => world.nodes.every(({ journal }) => journal.records.at(-1) === 'kept'))
    for (const { journal } of world.nodes) expect(journal.records).toEqual(['kept'])
  })

  it('a follower that cannot write tries again now and then, and says so once', async () => {
    const told: string[] = []
    const world = new World(3, { logger: { ...silentLogger, error: (text) => told.push(text) } })
    world.format(3)
    await world.startAll()
    await world.until(() => world.leader !== undefined)
    await world.time.advance(5000)
    const { quorum, id: leaderId } = world.leader!
    const full = world.nodes.find(({ id }) => id !== leaderId)!
    let attempts = 0
    full.disk.fault = (operation, path) => {
      if (operation !== 'write' || path !== LOG) return undefined
      attempts++
      return 'ENOSPC'
    }
    const appended = quorum!.append(['a'])
    await world.time.advance(20_000)
    await appended
    expect(attempts).toBeGreaterThan(5)
    expect(attempts).toBeLessThan(30)
    expect(told).toHaveLength(1)
    expect(world.leader!.id).toBe(leaderId)
    full.disk.fault = () => undefined
    await world.until(() => full.journal.records.length === 1)
  })

  it('nodes that are closed keep no connections', async () => {
    const world = await ledWorld()
    await world.time.advance(1000)
    const closing = Promise.all(world.nodes.map(({ quorum }) => quorum!.close()))
    await world.time.advance(5000)
    await closing
    let connections = 0
    world.network.reset((count) => {
      connections = count
      return 0
    })
    expect(connections).toBe(0)
  })

  it('a follower whose disk is so full that it cannot even note an epoch lives on', async () => {
    const world = await ledWorld()
    await world.time.advance(5000)
    const before = world.leader!
    const full = world.nodes.find(({ id }) => id !== before.id)!
    const epochs = LOG.replace(/[^/]+$/, 'leader-epoch-checkpoint')
    full.disk.fault = (operation, path) => (operation === 'replace' && path === epochs ? 'ENOSPC' : undefined)
    before.crash()
    await world.until(() => world.leader !== undefined && world.leader !== full)
    await world.time.advance(20_000)
    full.disk.fault = () => undefined
    const appended = world.leader!.quorum!.append(['a'])
    await world.until(() => full.journal.records.length === 1)
    await appended
  })

  it('a node of another cluster is told so, once, and spoils nothing', async () => {
    const told: string[] = []
    const world = new World(3)
    world.format(2)
    for (const node of world.nodes.slice(0, 2)) await node.start()
    await world.until(() => world.leader !== undefined)
    const stranger = world.nodes[2]!
    const options = {
      ...stranger.options(),
      clusterId: 'another',
      logger: { ...silentLogger, error: told.push.bind(told) },
    }
    stranger.quorum = Quorum.open(options, serde, stranger.journal)
    await world.time.advance(5000)
    expect(told).toEqual([
      expect.stringMatching(/^host-\d:9093 is of another cluster than .data, which has .* another$/),
    ])
    expect(stranger.quorum.misfit).toBe(told[0])
    expect(stranger.quorum.leaderId).toBe(-1)
    expect(stranger.quorum.logEndOffset).toBe(0)
  })

  it('a node with the id of the leader is told so, once', async () => {
    const told: string[] = []
    const world = new World(3)
    world.format(2)
    for (const node of world.nodes.slice(0, 2)) await node.start()
    await world.until(() => world.leader !== undefined)
    const double = world.nodes[2]!
    const { id, quorum } = world.leader!
    const own = { nodeId: id, canVote: false, bootstrapPeers: [{ id: -1, host: `host-${id}`, port: 9093 }] }
    const options = { ...double.options(), ...own, logger: { ...silentLogger, error: told.push.bind(told) } }
    double.quorum = Quorum.open(options, serde, double.journal)
    await world.time.advance(5000)
    expect(told).toEqual([`host-${id}:9093 knows another node ${id}, or this one before it lost its disk`])
    expect(double.quorum.misfit).toBe(told[0])
    expect(quorum!.leaderId).toBe(id)
  })

  it('a voter that has another disk follows, and gives no vote that was of the old one (KIP-853)', async () => {
    const world = await ledWorld()
    const leader = world.leader!
    const [replaced, other] = world.nodes.filter((node) => node !== leader)
    replaced!.crash()
    replaced!.directoryId = Buffer.alloc(16, 9).toString('base64url')
    await replaced!.start()
    const appended = leader.quorum!.append(['a'])
    await world.until(() => replaced!.journal.records.length === 1)
    await appended
    leader.crash()
    // Who knows of a leader that has answered refuses anyway.
    replaced!.crash()
    await replaced!.start()
    await world.time.advance(8000)
    expect(world.leader).toBeUndefined()
    await leader.start()
    await world.until(() => world.leader !== undefined)
    expect([leader, other]).toContain(world.leader)
  })

  it('a leader that stops hands over at once', async () => {
    const world = await ledWorld()
    await world.time.advance(5000)
    const before = world.leader!
    const beganMs = world.time.nowMs()
    await before.quorum!.close()
    before.quorum = undefined
    await world.until(() => world.leader !== undefined)
    // Without being told, the others would wait for the fetch timeout.
    expect(world.time.nowMs() - beganMs).toBeLessThan(1000)
  })

  it('a leader that hands over ends no sooner than the others know, also where no connection to them is left', async () => {
    const world = await ledWorld()
    await world.time.advance(5000)
    const before = world.leader!
    const beganMs = world.time.nowMs()
    for (let link = 0; link < 20; link++) world.network.reset(() => 0)
    let isOver = false
    const handingOver = before.quorum!.handOver(1000).then(() => {
      isOver = true
    })
    await world.until(() => isOver)
    await handingOver
    await before.quorum!.close()
    before.quorum = undefined
    await world.until(() => world.leader !== undefined)
    expect(world.time.nowMs() - beganMs).toBeLessThan(1000)
  })

  it('nobody who leads, or is alone, or has nobody to tell, is waited for longer than that', async () => {
    const world = await ledWorld()
    const before = world.leader!
    const [follower] = world.nodes.filter((node) => node !== before)
    await follower!.quorum!.handOver(1000)
    for (const node of world.nodes) if (node !== before) node.crash()
    let isOver = false
    void before.quorum!.handOver(1000).then(() => {
      isOver = true
    })
    await world.time.advance(900)
    expect(isOver).toBe(false)
    await world.time.advance(200)
    expect(isOver).toBe(true)
  })
})

describe('a quorum of one', () => {
  async function alone(change: Partial<QuorumNodeOptions> = {}): Promise<Node> {
    const world = new World(1, change)
    world.format(1)
    await world.startAll()
    await world.time.advance(0)
    return world.nodes[0]!
  }

  it('leads at once, and again after a restart, in the next epoch', async () => {
    const node = await alone()
    expect(node.journal.leaders).toEqual(['1 in 1'])
    expect(await node.quorum!.append(['a'])).toBe(3)
    node.crash()
    await node.start()
    await new Promise((resolve) => setImmediate(resolve))
    expect(node.journal.records).toEqual(['a'])
    expect(node.journal.leaders).toEqual(['1 in 2'])
  })

  it('appends that come while a write is under way leave together in the next one', async () => {
    const node = await alone()
    const sizes: number[] = []
    node.disk.fault = (operation) => {
      if (operation === 'sync') sizes.push(node.disk.stat(LOG)!.sizeBytes)
      return undefined
    }
    const { quorum } = node
    const offsets = Promise.all([quorum!.append(['a', 'b']), quorum!.append(['c']), quorum!.append(['d'])])
    expect(await offsets).toEqual([4, 5, 6])
    expect(sizes).toHaveLength(2)
  })

  it('appends that a full disk refuses fail with all that wait behind them, and the next one succeeds', async () => {
    const node = await alone()
    const { quorum, disk, journal } = node
    await quorum!.append(['a'])
    disk.capacityBytes = disk.usedBytes() + 10
    const outcomes = await Promise.allSettled([quorum!.append(['b']), quorum!.append(['c'])])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect((outcomes[0] as PromiseRejectedResult).reason).toBeInstanceOf(MetadataLogError)
    disk.capacityBytes = Number.POSITIVE_INFINITY
    expect(await quorum!.append(['d'])).toBe(4)
    expect(journal.records).toEqual(['a', 'd'])
    node.crash()
    await node.start()
    await new Promise((resolve) => setImmediate(resolve))
    expect(node.journal.records).toEqual(['a', 'd'])
  })

  it('a voter whose disk was replaced is not taken for the old one', async () => {
    const node = await alone()
    await node.quorum!.close()
    const options = { ...node.options(), directoryId: Buffer.alloc(16, 9).toString('base64url') }
    expect(() => Quorum.open(options, serde, new Journal())).toThrow(/but meta.properties says/)
  })
})

it('a node that cannot save its vote takes no part, promises nothing, and goes on once it can', async () => {
  const world = new World(3)
  world.format(3)
  await world.startAll()
  await world.until(() => world.leader !== undefined && world.nodes.every(({ quorum }) => quorum!.leaderId >= 0))
  const first = world.leader!
  const [stuck, other] = world.nodes.filter((node) => node !== first) as [Node, Node]
  stuck.disk.fault = (operation, path) =>
    operation === 'replace' && path.includes('quorum-state') ? 'ENOSPC' : undefined
  const saved = stuck.disk.readFile(`${LOG_DIRECTORY}/quorum-state`).toString()
  first.quorum!.resign(first.quorum!.leaderEpoch)
  await world.until(() =>
    world.nodes.some((node) => node !== stuck && node.quorum!.leaderEpoch > 1 && node === world.leader),
  )
  expect([first.id, other.id]).toContain(world.leader!.id)
  expect(stuck.disk.readFile(`${LOG_DIRECTORY}/quorum-state`).toString()).toBe(saved)
  const leader = world.leader!
  void leader.quorum!.append(['later'])
  await world.until(() => leader.journal.records.includes('later'))
  expect(stuck.journal.records).not.toContain('later')
  stuck.disk.fault = () => undefined
  await world.until(() => stuck.journal.records.includes('later'))
})

it('a node that cannot read its log says so once, and takes no part any more', async () => {
  const told: string[] = []
  const world = new World(3, { onBroken: (why) => told.push(why) })
  world.format(3)
  await world.startAll()
  await world.until(() => world.leader !== undefined && world.nodes.every(({ quorum }) => quorum!.leaderId >= 0))
  const leader = world.leader!
  const broken = world.nodes.find((node) => node !== leader)!
  broken.disk.fault = (operation) => (operation === 'read' ? 'EIO' : undefined)
  void leader.quorum!.append(['first'])
  await world.until(() => told.length > 0)
  broken.disk.fault = () => undefined
  void leader.quorum!.append(['second'])
  await world.until(() => leader.journal.records.length === 2)
  await world.time.advance(10_000)
  expect(told).toEqual([expect.stringMatching(/^it cannot be read: EIO/)])
  expect(broken.journal.records).toEqual([])
  expect(broken.quorum!.leaderEpoch).toBe(leader.quorum!.leaderEpoch)
})
