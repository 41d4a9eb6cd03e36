import { afterAll, beforeAll, expect, test } from 'vitest'
import { Probe } from '../differential/probe.ts'
import { batch, warmedUp, write } from '../differential/scenario.ts'
import {
  beat,
  join,
  leave,
  newThread,
  type Thread,
  topicFor,
  untilThere,
  wordCount,
} from '../differential/scenarios/streams-tools.ts'
import type { Broker } from '../harness/broker.ts'
import { startOracle } from '../harness/oracle.ts'
import { eventually } from '../harness/process.ts'
import { startTarget } from '../harness/target.ts'
import { runTools } from '../harness/tools.ts'

/** Nobody waits, and members that say nothing stay for as long as the tools take. */
const overrides = {
  'group.streams.initial.rebalance.delay.ms': '0',
  'group.streams.assignment.interval.ms': '0',
  'group.streams.max.session.timeout.ms': '600000',
  'group.streams.session.timeout.ms': '600000',
}
const RECORDS = 7

let brokers: Broker[] = []
let threads: Thread[][] = []
beforeAll(async () => {
  brokers = await Promise.all([startOracle({ overrides }), startTarget({ overrides })])
  threads = await Promise.all(brokers.map(filled))
})
afterAll(async () => {
  await Promise.all(brokers.map((broker) => broker.stop()))
})

/** Two threads of a word count, stable, with an offset committed. */
async function filled(broker: Broker): Promise<Thread[]> {
  const probe = new Probe(broker)
  await warmedUp(probe)
  await topicFor(probe, 'words', 2)
  await write(probe, 'words', batch(RECORDS))
  const both = ['a', 'b'].map((id) => newThread('counting', id))
  for (const thread of both) await join(probe, thread, wordCount('words'))
  await untilThere(probe, ['words-counts-repartition', 'words-counts-changelog'])
  await eventually('a stable group', 60_000, async () => {
    for (const thread of both) await beat(probe, thread)
    const { groups } = await probe.quietly('StreamsGroupDescribe', 0, { groupIds: ['counting'] })
    return groups[0].groupState === 'Stable' || undefined
  })
  const [a] = both as [Thread]
  const partitions = [{ partitionIndex: 0, committedOffset: 3, committedMetadata: '' }]
  const commit = { groupId: 'counting', memberId: 'a', generationIdOrMemberEpoch: a.memberEpoch }
  const answer = await probe.quietly('OffsetCommit', 9, { ...commit, topics: [{ name: 'words', partitions }] })
  expect(answer.topics[0].partitions[0].errorCode).toBe(0)
  probe.close()
  return both
}

async function emptied(): Promise<void> {
  for (const [i, broker] of brokers.entries()) {
    const probe = new Probe(broker)
    for (const thread of threads[i]!) await leave(probe, thread)
    probe.close()
  }
}

/** What each run prints on both, with blanks made one and the broker's address taken out. */
async function compare(runs: readonly string[]): Promise<string[]> {
  const asked = runs.map((args) => ({ tool: 'kafka-streams-groups' as const, args: args.split(' ') }))
  const [oracle, ottla] = await Promise.all(
    brokers.map(async (broker) => {
      const results = await runTools(broker, asked, 120_000)
      return results.map(({ status, stdout, stderr }) => ({ status, stdout: inOrder(stdout), stderr }))
    }),
  )
  for (const [i, args] of runs.entries()) {
    const { stderr, ...shown } = ottla![i]!
    expect(shown, `${args}\n${stderr}`).toEqual({ status: 0, stdout: oracle![i]!.stdout })
  }
  return ottla!.map(({ stdout }) => stdout.join('\n'))
}

function inOrder(output: string): string[] {
  const lines = output.split('\n').map((line) =>
    line
      .replace(/127\.0\.0\.1:\d+/g, 'HOST')
      .replace(/\s+/g, ' ')
      .trim(),
  )
  return lines.filter((line) => line !== '').sort()
}

test('kafka-streams-groups lists, describes, resets and deletes as on Apache Kafka', async () => {
  const [listed, ...described] = await compare([
    '--list --state',
    '--describe --group counting',
    '--describe --state --verbose --group counting',
    '--describe --members --verbose --group counting',
  ])
  expect(listed).toContain('counting Stable')
  for (const each of described) expect(each).toContain('counting')
  await emptied()
  await compare([
    '--reset-offsets --to-earliest --input-topic words --execute --group counting',
    '--delete-offsets --input-topic words --group counting',
    '--delete --delete-all-internal-topics --group counting',
    '--list',
  ])
}, 180_000)
