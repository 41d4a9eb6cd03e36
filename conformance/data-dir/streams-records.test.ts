import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Probe } from '../differential/probe.ts'
import { makeTopic, range, settled, warmedUp } from '../differential/scenario.ts'
import {
  beat,
  configureGroup,
  join as joinGroup,
  leave,
  newThread,
  stateful,
  topicFor,
} from '../differential/scenarios/streams-tools.ts'
import type { Broker } from '../harness/broker.ts'
import { startOracle } from '../harness/oracle.ts'
import { startTarget } from '../harness/target.ts'
import { dumpLog } from './fill.ts'

const TOPIC = 'source'
const CONSUMER_OFFSETS = '__consumer_offsets-'

/** So that both have the same to write, whenever they are asked. */
const overrides = {
  'log.cleaner.dedupe.buffer.size': '4194304',
  'group.streams.assignment.interval.ms': '0',
  'group.streams.initial.rebalance.delay.ms': '0',
}

/** Members come and go, with standby tasks; one gets less, gives it up late, and has its epoch from before. */
async function tell(probe: Probe): Promise<void> {
  await warmedUp(probe)
  await makeTopic(probe, `${TOPIC}-changelog`, { partitions: 3 })
  await topicFor(probe, TOPIC, 3, ['scouts'])
  await configureGroup(probe, 'g', { 'streams.num.standby.replicas': '1' })
  const [a, b] = [newThread('g', 'a'), newThread('g', 'b')]
  const said = {
    rackId: 'rack',
    userEndpoint: { host: 'h', port: 40_000 },
    clientTags: [
      { key: 'z', value: '1' },
      { key: 'a', value: '2' },
    ],
  }
  await joinGroup(probe, a, stateful(TOPIC), said)
  await joinGroup(probe, b, stateful(TOPIC))
  const before = a.active
  await beat(probe, a)
  await beat(probe, a, { activeTasks: before })
  for (const _ of range(3)) for (const thread of [a, b]) await beat(probe, thread)
  await leave(probe, a)
  for (const _ of range(2)) await beat(probe, b)
  await leave(probe, b)
  await probe.send('DeleteGroups', 2, { groupsNames: ['g'] })
  await settled(probe)
}

/** Keys and values of the records of streams groups with their sizes, in order, without the times and ids of this run. */
async function recordsOf(start: typeof startTarget): Promise<string[]> {
  const broker: Broker = await start({ overrides })
  onTestFinished(async () => {
    await broker.kill()
  })
  const probe = new Probe(broker)
  await tell(probe)
  probe.close()
  await broker.stop()
  const directories = readdirSync(broker.dataDir).filter((name) => name.startsWith(CONSUMER_OFFSETS))
  const files = directories.map((name) => join(broker.dataDir, name, `${'0'.repeat(20)}.log`))
  const dump = await dumpLog(files, ['--offsets-decoder'])
  return dump.split('\n').flatMap((line) => {
    const [, sizes, keyAndValue] =
      /(keySize: \d+ valueSize: -?\d+).*? (key: \{"type":"(?:1[79]|2[0-3])".*)$/.exec(line) ?? []
    // The groups by which the story finds out how far the broker is leave as many records as it takes.
    if (!keyAndValue?.includes('"groupId":"g"')) return []
    const shown = keyAndValue
      .replace(/"assignmentTimestamp":\d{13}/, '"assignmentTimestamp":TIME')
      // Topic ids are part of it.
      .replace(/"metadataHash":-?\d+/, '"metadataHash":HASH')
    return [`${sizes} ${shown}`]
  })
}

test('KIP-1071: the same story leaves the same records as in Apache Kafka', async () => {
  const ours = await recordsOf(startTarget)
  const theirs = await recordsOf(startOracle)
  // Each of the six kinds of records, and each of their tombstones.
  for (const type of [17, 19, 20, 21, 22, 23]) {
    const some = theirs.filter((line) => line.includes(`"type":"${type}"`))
    expect(
      some.some((line) => line.includes('<DELETE>')),
      `tombstone ${type}`,
    ).toBe(true)
    expect(
      some.some((line) => !line.includes('<DELETE>')),
      `record ${type}`,
    ).toBe(true)
  }
  expect(ours).toEqual(theirs)
}, 180_000)
