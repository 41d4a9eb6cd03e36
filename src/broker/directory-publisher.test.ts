import { expect, test } from 'vitest'
import { ControllerWorld, DIRECTORY_ID, newTopics } from '../controller/controller.testkit.ts'
import { silentLogger } from '../platform/logger.ts'
import { DirectoryPublisher } from './directory-publisher.ts'

const OTHER_ID = 'T8ieC9GbRMy7po1nB9IrzQ'

async function directoriesWith(directoryIds: ReadonlyMap<string, string>) {
  const controller = await new ControllerWorld().open()
  const logs = { directoryPathOf: (_: string, partition: number) => (partition === 0 ? '/one' : '/two') }
  await controller.publishTo([new DirectoryPublisher({ controller, logs, directoryIds, logger: silentLogger })])
  await controller.createTopics(newTopics({ name: 't', numPartitions: 2 }))
  const before = controller.image.offset
  // What the publisher writes is behind the creation; another request waits for it.
  await controller.assignDirectories([])
  const partitions = [...controller.image.topics.byName('t')!.partitions.values()]
  return {
    ids: partitions.map(({ directories }) => directories[0]),
    written: controller.quorum.nextOffset - before - 1,
  }
}

test('the metadata learns in which of several directories a replica is (KIP-858)', async () => {
  const directoryIds = new Map([
    ['/one', DIRECTORY_ID],
    ['/two', OTHER_ID],
  ])
  expect((await directoriesWith(directoryIds)).ids).toEqual([DIRECTORY_ID, OTHER_ID])
})

test('where there is but one directory, nothing is written', async () => {
  expect(await directoriesWith(new Map([['/one', OTHER_ID]]))).toEqual({
    ids: [DIRECTORY_ID, DIRECTORY_ID],
    written: 0,
  })
})
