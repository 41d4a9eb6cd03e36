import { expect, test } from 'vitest'
import { ControllerWorld, DIRECTORY_ID, newTopics } from '../controller/controller.testkit.ts'
import type { Controller } from '../controller/controller.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { silentLogger } from '../platform/logger.ts'
import { VirtualTime } from '../platform/virtual-time.ts'
import type { AssignReplicasToDirsRequest } from '../protocol/messages/assign-replicas-to-dirs.ts'
import type { ControllerLink } from '../replication/channel/controller-link.ts'
import { DirectoryPublisher } from './directory-publisher.ts'

const OTHER_ID = 'T8ieC9GbRMy7po1nB9IrzQ'
const TWO = new Map([
  ['/one', DIRECTORY_ID],
  ['/two', OTHER_ID],
])

interface Ask {
  readonly request: AssignReplicasToDirsRequest
  readonly answer: (errorCode: number) => Promise<void>
}

/** A topic of two partitions on a broker with these directories, and what it asks of its controller. */
async function publisherWith(directoryIds: ReadonlyMap<string, string>) {
  const controller = await new ControllerWorld().open()
  const asked: Ask[] = []
  const link = linkTo(controller, asked)
  const logs = {
    directoryPathOf: (_: string, partition: number) => (partition === 0 ? '/one' : '/two'),
    failedDirectories: () => [],
    get: () => undefined,
  }
  const { image } = controller
  const time = new VirtualTime()
  const publisher = new DirectoryPublisher({ nodeId: 1, image, link, logs, directoryIds, time, logger: silentLogger })
  await controller.publishTo([publisher])
  await controller.createTopics(newTopics({ name: 't', numPartitions: 2 }))
  const ids = () => [...image.topics.byName('t')!.partitions.values()].map(({ directories }) => directories[0])
  return { controller, publisher, asked, ids, time }
}

function linkTo(controller: Controller, asked: Ask[]): ControllerLink {
  const request = (_api: unknown, body: (version: number) => unknown) =>
    new Promise((resolve) => {
      const request = body(0) as AssignReplicasToDirsRequest
      const answer = async (errorCode: number) => {
        const response = errorCode === 0 ? await controller.assignDirectories(request) : { errorCode, directories: [] }
        resolve({ version: 0, response })
        // Whoever waits for the answer goes on before whoever gave it.
        for (let turn = 0; turn < 5; turn++) await Promise.resolve()
      }
      asked.push({ request, answer })
    })
  return { request } as unknown as ControllerLink
}

test('the controller learns in which of several directories a replica is (KIP-858)', async () => {
  const { controller, asked, ids } = await publisherWith(TWO)
  expect(asked).toHaveLength(1)
  const { request, answer } = asked[0]!
  expect(request).toMatchObject({ brokerId: 1, brokerEpoch: controller.image.brokers.get(1)!.epoch })
  // The other one was known from its creation: it lies where the only directory is that the broker had registered.
  expect(request.directories).toMatchObject([{ id: OTHER_ID, topics: [{ partitions: [{ partitionIndex: 1 }] }] }])
  await answer(0)
  expect(ids()).toEqual([DIRECTORY_ID, OTHER_ID])
  expect(asked).toHaveLength(1)
})

test('what a controller refuses is told again when the metadata has changed', async () => {
  const { controller, asked, ids } = await publisherWith(TWO)
  await asked[0]!.answer(77)
  await controller.createTopics(newTopics({ name: 'u' }))
  expect(asked).toHaveLength(2)
  await asked[1]!.answer(0)
  expect(ids()).toEqual([DIRECTORY_ID, OTHER_ID])
})

test('and soon, if nothing changes: the controller may have refused it for a reason of its own', async () => {
  const { asked, ids, time } = await publisherWith(TWO)
  await asked[0]!.answer(56)
  expect(asked).toHaveLength(1)
  await time.advance(1000)
  expect(asked).toHaveLength(2)
  await asked[1]!.answer(0)
  expect(ids()).toEqual([DIRECTORY_ID, OTHER_ID])
})

test('where there is but one directory, nothing is told', async () => {
  expect((await publisherWith(new Map([['/one', OTHER_ID]]))).asked).toEqual([])
})

/** What is told of a log in directory /one that is offline, on broker 1 of these replicas. */
function toldOfOffline(replicas: readonly number[], directory: string, failedDirectories: string[]) {
  const asked: Ask[] = []
  const topic = { name: 't', partitions: new Map([[0, { replicas, directories: replicas.map(() => directory) }]]) }
  const publisher = new DirectoryPublisher({
    nodeId: 1,
    image: { topics: { byId: () => topic }, brokers: new Map() } as unknown as MetadataImage,
    link: linkTo(undefined as never, asked),
    logs: {
      directoryPathOf: () => '/one',
      failedDirectories: () => failedDirectories,
      get: () => ({ offline: 'it is damaged' }) as PartitionLog,
    },
    directoryIds: TWO,
    time: new VirtualTime(),
    logger: silentLogger,
  })
  publisher.tell('AAAAAAAAAAAAAAAAAAAAAQ', [0])
  return asked.map(({ request }) => request.directories.map(({ id }) => id))
}

test('a log that is damaged in a sound directory is said to be lost, so that another replica leads', () => {
  const lost = 'AAAAAAAAAAAAAAAAAAAAAg'
  expect(toldOfOffline([1, 2], DIRECTORY_ID, [])).toEqual([[lost]])
  expect(toldOfOffline([1, 2], lost, [])).toEqual([])
  // Heartbeats tell of the directory; and nobody else could lead.
  expect(toldOfOffline([1, 2], DIRECTORY_ID, ['/one'])).toEqual([])
  expect(toldOfOffline([1], DIRECTORY_ID, [])).toEqual([])
})

test('a replica that is made after all is not lost for good, though that it was is being told', async () => {
  const asked: Ask[] = []
  const directories = [DIRECTORY_ID, DIRECTORY_ID]
  const topic = { name: 't', partitions: new Map([[0, { replicas: [1, 2], directories }]]) }
  const brokers = new Map([[1, { epoch: 5, directories: [DIRECTORY_ID] }]])
  const take = async ({ directories: [told] }: AssignReplicasToDirsRequest) => {
    directories[0] = told!.id
    return { errorCode: 0, directories: [] }
  }
  const publisher = new DirectoryPublisher({
    nodeId: 1,
    image: { topics: { byId: () => topic }, brokers } as unknown as MetadataImage,
    link: linkTo({ assignDirectories: take } as unknown as Controller, asked),
    logs: { directoryPathOf: () => '/one', failedDirectories: () => [], get: () => undefined },
    directoryIds: new Map([['/one', DIRECTORY_ID]]),
    time: new VirtualTime(),
    logger: silentLogger,
  })
  const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
  publisher.tellLost(topicId, 0)
  publisher.tell(topicId, [0])
  await asked[0]!.answer(0)
  expect(directories[0]).not.toBe(DIRECTORY_ID)
  await asked[1]!.answer(0)
  expect(directories[0]).toBe(DIRECTORY_ID)
  expect(asked).toHaveLength(2)
})
