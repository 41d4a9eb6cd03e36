import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Body, Probe } from '../differential/probe.ts'
import { warmedUp } from '../differential/scenario.ts'
import type { Broker } from '../harness/broker.ts'
import { startOracle } from '../harness/oracle.ts'
import { startTarget } from '../harness/target.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { dumpLog } from './fill.ts'
import { OpenTransactions } from './open-transactions.ts'
import type { Handover, Passenger } from './passenger.ts'
import { RevokingMember } from './revoking-member.ts'
import { ShareGroup } from './share-group.ts'
import { StreamsGroup } from './streams-group.ts'

/** For Apache Kafka to start with little memory, for both not to wait, for members that rest, and for records that are released again and again. */
const overrides = {
  'log.cleaner.dedupe.buffer.size': '4194304',
  'group.consumer.assignment.interval.ms': '0',
  'group.consumer.max.session.timeout.ms': '600000',
  'group.consumer.session.timeout.ms': '600000',
  'group.share.assignment.interval.ms': '0',
  'group.share.delivery.count.limit': '10',
  'group.streams.assignment.interval.ms': '0',
  'group.streams.initial.rebalance.delay.ms': '0',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
}

const turns: readonly Handover[] = [
  { ending: 'stop', next: 'oracle' },
  { ending: 'stop', next: 'ottla' },
  { ending: 'kill', next: 'oracle' },
  { ending: 'kill', next: 'ottla' },
]

async function described(passengers: readonly Passenger[], probe: Probe): Promise<Body[]> {
  const all: Body[] = []
  for (const passenger of passengers) all.push(await passenger.described(probe))
  return all
}

/** What Apache Kafka's own tool makes of the records of an internal topic. */
function dumped(broker: Broker, topic: string, decoder: string): Promise<string> {
  const directories = readdirSync(broker.dataDir).filter((name) => name.startsWith(`${topic}-`))
  const files = directories.flatMap((name) => {
    const directory = join(broker.dataDir, name)
    return readdirSync(directory)
      .filter((file) => file.endsWith('.log'))
      .map((file) => join(directory, file))
  })
  return dumpLog(files, [decoder])
}

test('groups of all kinds and open transactions go on when Ottla and Apache Kafka take turns', async () => {
  let broker: Broker = await startTarget({ overrides })
  const { home } = broker
  onTestFinished(async () => {
    await broker.kill()
    rmSync(home.dir, { recursive: true, force: true })
  })
  const passengers: readonly Passenger[] = [
    new ConsumerGroup(),
    new RevokingMember(),
    new OpenTransactions(),
    new ShareGroup(),
    new StreamsGroup(),
  ]
  let probe = new Probe(broker)
  await warmedUp(probe)
  for (const passenger of passengers) await passenger.begin(probe)
  for (const turn of turns) {
    for (const passenger of passengers) await passenger.leave(probe, turn)
    const before = await described(passengers, probe)
    for (const passenger of passengers) await passenger.partingRequests?.(probe, turn)
    if (turn.ending === 'stop') await broker.stop()
    else await broker.kill()
    probe.close()
    broker = await (turn.next === 'oracle' ? startOracle : startTarget)({ home, overrides })
    probe = new Probe(broker)
    await warmedUp(probe)
    expect(await described(passengers, probe), `${broker.kind} after a ${turn.ending}`).toEqual(before)
    for (const passenger of passengers) await passenger.goOn(probe)
  }
  probe.close()
  await broker.stop()
  const groups = await dumped(broker, '__consumer_offsets', '--offsets-decoder')
  expect(groups).toMatch(/"group":"transactional"/)
  expect(groups).toMatch(/"type":"22","data":\{"groupId":"counting"/)
  expect(await dumped(broker, '__transaction_state', '--transaction-log-decoder')).toMatch(/swap-goesBack/)
  expect(await dumped(broker, '__share_group_state', '--share-group-state-decoder')).toMatch(/"groupId":"sharers"/)
}, 600_000)
