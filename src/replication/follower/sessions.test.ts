import { describe, expect, it } from 'vitest'
import { errors } from '../../protocol/errors.ts'
import type { FetchRequest } from '../../protocol/messages/fetch.ts'
import type { Partition } from '../partition.ts'
import { answerOf, leaderBatch, responseOf, SETTINGS, stateOf, World } from './follower.testkit.ts'

/** What a request says, in short. */
const said = ({ sessionId, sessionEpoch, topics, forgottenTopicsData }: FetchRequest) => ({
  session: [sessionId, sessionEpoch],
  asked: topics.flatMap(({ partitions }) =>
    partitions.map(({ partition, fetchOffset }) => `${partition}@${fetchOffset}`),
  ),
  forgotten: forgottenTopicsData.flatMap(({ partitions }) => partitions),
})

const followAll = (world: World, count: number): Partition[] => {
  const partitions = Array.from({ length: count }, (_, partition) => world.partition({ partition }))
  for (const partition of partitions) world.manager.follow(partition)
  return partitions
}

/** A leader with a session that has nothing new, but what `news` gives once. */
function quiet(
  world: World,
  count: number,
  news: (request: FetchRequest) => ReturnType<typeof answerOf>[] | undefined,
) {
  world.leader.onFetch = (request) => {
    const isFull = request.sessionEpoch === 0
    const answers = isFull ? Array.from({ length: count }, (_, index) => answerOf(index)) : (news(request) ?? undefined)
    return answers && responseOf(answers, { sessionId: 9 })
  }
}

describe('a fetch session (KIP-227)', () => {
  it('says everything once, then what has changed, and what is not fetched any more', async () => {
    const world = await new World().listen()
    const news = [
      [],
      [answerOf(1, { records: [leaderBatch(0, 5, ['a', 'b'])], highWatermark: 0 })],
      [answerOf(2, { logStartOffset: 0, highWatermark: 0 })],
    ]
    quiet(world, 3, () => news.shift())
    const partitions = followAll(world, 3)
    await world.settle()
    world.manager.stop(partitions[0]!)
    await world.settle()
    expect(world.leader.fetches.map(said)).toEqual([
      { session: [0, 0], asked: ['0@0', '1@0', '2@0'], forgotten: [] },
      { session: [9, 1], asked: [], forgotten: [] },
      { session: [9, 2], asked: [], forgotten: [] },
      { session: [9, 3], asked: ['1@2'], forgotten: [] },
      { session: [9, 4], asked: [], forgotten: [] },
    ])
    expect(world.leader.fetches.map(({ maxWaitMs }) => maxWaitMs)).toEqual([0, 500, 500, 500, 500])
  })

  it('forgets partitions that go, and is told of a new epoch without forgetting', async () => {
    const world = await new World().listen()
    let release: (() => void) | undefined
    world.leader.onFetch = ({ sessionEpoch }, respond) => {
      if (sessionEpoch === 0) return responseOf([answerOf(0), answerOf(1)], { sessionId: 9 })
      release = () => respond(responseOf([], { sessionId: 9 }))
      return undefined
    }
    const [first, second] = followAll(world, 2)
    await world.settle()
    world.manager.stop(first!)
    second!.update(stateOf({ partition: 1, leaderEpoch: 6 }))
    world.manager.follow(second!)
    release!()
    await world.settle()
    const last = world.leader.fetches.at(-1)!
    expect(said(last)).toEqual({ session: [9, 2], asked: ['1@0'], forgotten: [0] })
    expect(last.topics[0]!.partitions[0]!.currentLeaderEpoch).toBe(6)
  })

  it('that fetches nothing more is left with its connection', async () => {
    const world = await new World().listen()
    quiet(world, 1, () => undefined)
    const [partition] = followAll(world, 1)
    await world.settle()
    world.manager.stop(partition!)
    await world.settle()
    expect([world.time.pendingTasks, world.warnings]).toEqual([0, []])
    world.manager.follow(partition!)
    await world.settle()
    expect(world.leader.connectionCount).toBe(2)
    expect(world.leader.fetches.slice(2).map(said)).toEqual([
      { session: [0, 0], asked: ['0@0'], forgotten: [] },
      { session: [9, 1], asked: [], forgotten: [] },
    ])
  })

  it.each([
    ['FETCH_SESSION_ID_NOT_FOUND', 0],
    ['INVALID_FETCH_SESSION_EPOCH', 9],
  ] as const)('begins anew at once after %s', async (name, sessionId) => {
    const world = await new World().listen()
    let isLost = true
    quiet(world, 2, () => (isLost ? [] : undefined))
    const inner = world.leader.onFetch
    world.leader.onFetch = (request, respond) => {
      if (request.sessionEpoch !== 3) return inner(request, respond)
      isLost = false
      return responseOf([], { errorCode: errors[name].code })
    }
    followAll(world, 2)
    await world.settle()
    expect(world.leader.fetches.slice(3).map(said)).toEqual([
      { session: [9, 3], asked: [], forgotten: [] },
      { session: [sessionId, 0], asked: ['0@0', '1@0'], forgotten: [] },
      { session: [9, 1], asked: [], forgotten: [] },
    ])
  })

  it('of a leader that refuses everything is tried at intervals', async () => {
    const world = await new World().listen()
    world.leader.onFetch = () => responseOf([], { errorCode: errors.FETCH_SESSION_ID_NOT_FOUND.code })
    followAll(world, 1)
    await world.time.advance(10_000)
    expect(world.leader.fetches.length).toBeLessThan(13)
    expect(world.leader.fetches.length).toBeGreaterThan(8)
  })

  it('begins anew after a lost connection', async () => {
    const world = await new World().listen()
    quiet(world, 2, () => undefined)
    followAll(world, 2)
    await world.settle()
    world.network.crash('leader')
    await world.time.advance(100)
    await world.listen()
    await world.time.advance(1000)
    expect(world.leader.fetches.slice(2).map(said)).toEqual([
      { session: [9, 0], asked: ['0@0', '1@0'], forgotten: [] },
      { session: [9, 1], asked: [], forgotten: [] },
    ])
  })

  it('is given up with a leader that answers what it was not asked, or not all that it was', async () => {
    const world = await new World().listen()
    const answers = [[answerOf(0)], [answerOf(0), answerOf(1), answerOf(7)], [answerOf(0), answerOf(1)]]
    world.leader.onFetch = ({ sessionEpoch }) =>
      sessionEpoch === 0 ? responseOf(answers.shift() ?? [], { sessionId: 9 }) : undefined
    followAll(world, 2)
    await world.time.advance(2500)
    expect(world.leader.fetches.map(said).map(({ session }) => session)).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
      [9, 1],
    ])
    expect(world.warnings).toEqual([
      'Broker 1 answered for 1 partitions where it was asked for 2',
      'Broker 1 answered for partition 7 of topic AAAAAAAAAAAAAAAAAAAAAQ, which it was not asked for',
    ])
  })

  it('is done without where the leader has no room: those that gave data come last (KIP-74)', async () => {
    const world = await new World().listen()
    world.leader.onFetch = ({ topics }) => {
      const asked = topics.flatMap(({ partitions }) => partitions)
      if (asked.every(({ fetchOffset }) => fetchOffset > 0)) return undefined
      return responseOf(
        asked.map(({ partition, fetchOffset }, place) =>
          answerOf(partition, place === 0 ? { records: [leaderBatch(fetchOffset, 5, ['a'])] } : {}),
        ),
      )
    }
    followAll(world, 3)
    await world.settle()
    expect(world.leader.fetches.map(said)).toEqual([
      { session: [0, 0], asked: ['0@0', '1@0', '2@0'], forgotten: [] },
      { session: [0, 0], asked: ['1@0', '2@0', '0@1'], forgotten: [] },
      { session: [0, 0], asked: ['2@0', '0@1', '1@1'], forgotten: [] },
      { session: [0, 0], asked: ['0@1', '1@1', '2@1'], forgotten: [] },
    ])
    expect(world.leader.fetches.map(({ maxWaitMs }) => maxWaitMs)).toEqual([0, 500, 500, 500])
  })

  it('costs what has changed, however much is followed', async () => {
    const world = await new World().listen()
    const COUNT = 500
    const records = [leaderBatch(0, 5, ['a'])]
    const news = [[], [], [answerOf(70, { records })], []]
    let lookedAt = 0
    const costs: number[] = []
    quiet(world, COUNT, () => {
      costs.push(lookedAt)
      lookedAt = 0
      return news.shift()
    })
    for (const partition of Array.from({ length: COUNT }, (_, index) => world.partition({ partition: index }))) {
      const { log } = partition
      Object.defineProperty(partition, 'log', {
        get() {
          lookedAt += 1
          return log
        },
      })
      world.manager.follow(partition)
    }
    await world.time.advance(200)
    expect(world.leader.fetches.slice(1).map((fetch) => said(fetch).asked)).toEqual([[], [], [], ['70@1'], []])
    expect(costs[0]).toBeGreaterThan(COUNT)
    expect(costs[1]).toBe(0)
    expect(costs[2]).toBe(0)
    expect(costs[3]).toBeLessThan(20)
    expect(costs[4]).toBe(0)
  })
})

describe('fetchers', () => {
  it('share the partitions of a leader, each with a connection of its own', async () => {
    const world = await new World().listen()
    world.settings = { ...SETTINGS, fetcherCount: 3 }
    world.manager.settingsChanged()
    world.leader.onFetch = ({ topics, maxWaitMs }, respond) => {
      const asked = topics.flatMap((topic) => topic.partitions)
      world.time.after(maxWaitMs, () => respond(responseOf(asked.map(({ partition }) => answerOf(partition)))))
      return undefined
    }
    followAll(world, 9)
    await world.time.advance(4)
    expect(world.leader.connectionCount).toBe(3)
    expect(world.leader.fetches.map((fetch) => said(fetch).asked.length)).toEqual([3, 3, 3])
    world.settings = { ...SETTINGS, fetcherCount: 1 }
    world.manager.settingsChanged()
    await world.time.advance(2000)
    expect(said(world.leader.fetches.at(-1)!).asked).toHaveLength(9)
    await world.manager.close()
  })
})
