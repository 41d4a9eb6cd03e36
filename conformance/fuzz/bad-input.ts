import { classicMachine } from './classic.ts'
import { consumerMachine } from './consumer.ts'
import type { Machine, Step } from './machine.ts'
import { transactionMachine } from './transactions.ts'

/** Requests that must be refused, each on its own, by a group or producers that `setup` has brought somewhere. */
export interface BadInput {
  readonly title: string
  machine(topicIds: ReadonlyMap<string, string>): Machine
  readonly setup: readonly Step[]
  readonly bad: readonly Step[]
}

type Args = Step['args']

const AS_ITSELF = { generation: 'own', member: 'own', instance: 'own' }
const STRANGERS: readonly Args[] = [
  { generation: 'behind' },
  { generation: 'ahead' },
  { member: 'nobody' },
  { member: 'other' },
  { instance: 'other' },
]

function step(client: number, op: string, args: Args): Step {
  return { op, client, args: { ...AS_ITSELF, ...args } }
}

function commit(client: number, version: number, args: Args): Step {
  return step(client, 'commit', { version, topic: 'fuzz-a', partitions: [0], offset: 7, metadata: 'm', ...args })
}

/** By a member, in versions of every age. */
function badCommits(client: number): Step[] {
  return [5, 9, 10].flatMap((version) => [
    ...STRANGERS.slice(1, 3).map((args) => commit(client, version, args)),
    commit(client, version, { metadata: 'oversized' }),
    commit(client, version, { topic: 'fuzz-missing' }),
    commit(client, version, { partitions: [99] }),
  ])
}

const join = { version: 9, protocols: 'range', protocolType: 'consumer', topics: 'a', sessionTimeoutMs: 1_000_000 }

const classicGroup: BadInput = {
  title: 'a group of the classic protocol',
  machine: classicMachine,
  setup: [step(3, 'join', join), step(3, 'sync', { version: 5, protocolType: 'consumer' }), commit(3, 9, {})],
  bad: [
    ...STRANGERS.filter(({ member }) => member !== 'other').map((args) =>
      step(3, 'heartbeat', { version: 4, ...args }),
    ),
    ...STRANGERS.filter(({ member }) => member !== 'other').map((args) =>
      step(3, 'sync', { version: 5, protocolType: 'consumer', ...args }),
    ),
    step(3, 'sync', { version: 5, protocolType: 'connect' }),
    step(3, 'sync', { version: 5, protocolType: 'consumer', wrongProtocol: true }),
    step(3, 'join', { ...join, member: 'nobody' }),
    step(3, 'join', { ...join, sessionTimeoutMs: 1 }),
    step(3, 'join', { ...join, protocolType: 'connect' }),
    step(3, 'join', { ...join, protocols: 'other' }),
    step(3, 'join', { ...join, protocols: 'none' }),
    step(0, 'leave', { version: 5, others: [], byInstance: false, member: 'nobody' }),
    step(3, 'leave', { version: 5, others: [], byInstance: false, member: 'nobody' }),
    ...badCommits(3),
    ...[5, 9, 10].map((version) => commit(3, version, { generation: 'behind' })),
    step(3, 'delete-group', { version: 2 }),
    step(3, 'delete-offsets', { topic: 'fuzz-a', partitions: [0] }),
  ],
}

const beat = { version: 1, subscription: 'a', assignor: 'uniform' }

const consumerGroup: BadInput = {
  title: 'a group of the consumer protocol',
  machine: consumerMachine,
  setup: [
    step(0, 'beat', { ...beat, kind: 'join' }),
    step(3, 'beat', { ...beat, kind: 'join' }),
    step(0, 'beat', { ...beat, kind: 'ack' }),
    step(0, 'beat', { ...beat, kind: 'ack' }),
    step(3, 'beat', { ...beat, kind: 'ack' }),
    commit(0, 9, {}),
  ],
  bad: [
    ...STRANGERS.slice(1).map((args) => step(3, 'beat', { ...beat, kind: 'nothing', ...args })),
    step(3, 'beat', { ...beat, kind: 'part', generation: 'behind' }),
    step(0, 'beat', { ...beat, kind: 'nothing', generation: 'ahead' }),
    step(0, 'beat', { ...beat, kind: 'epoch -3' }),
    step(1, 'beat', { ...beat, kind: 'join', member: 'none' }),
    step(1, 'beat', { ...beat, kind: 'no timeout' }),
    step(1, 'beat', { ...beat, kind: 'join', subscription: 'none' }),
    step(1, 'beat', { ...beat, kind: 'join', assignor: 'unheard' }),
    step(1, 'beat', { ...beat, kind: 'join', subscription: 'bad regex' }),
    step(1, 'beat', { ...beat, kind: 'join', subscription: 'lookahead' }),
    step(0, 'beat', { ...beat, kind: 'subscribe', subscription: 'bad regex' }),
    step(0, 'beat', { ...beat, kind: 'leave', member: 'nobody' }),
    step(5, 'beat', { ...beat, kind: 'leave static', member: 'nobody' }),
    step(0, 'beat', { ...beat, kind: 'leave static' }),
    ...badCommits(0),
    commit(0, 8, { generation: 'behind' }),
    ...STRANGERS.slice(1, 3).map((args) =>
      step(0, 'fetch', { version: 9, all: false, stable: true, topic: 'fuzz-a', partitions: [0], ...args }),
    ),
    step(0, 'fetch', { version: 10, all: false, stable: true, topic: 'fuzz-missing', partitions: [0] }),
    step(0, 'delete-group', { version: 2 }),
    step(0, 'delete-offsets', { topic: 'fuzz-a', partitions: [0] }),
  ],
}

const produce = { sequence: 'next', count: 2, partition: 0, transactional: true }
/** As whom a producer must not speak. */
const IMPOSTORS = ['old epoch', 'next epoch', 'foreign', 'unknown', 'no epoch']

const producers: BadInput = {
  title: 'transactional and idempotent producers',
  machine: () => transactionMachine,
  setup: [
    step(0, 'init', { version: 5, who: 'none', timeoutMs: 900_000 }),
    step(0, 'init', { version: 5, who: 'none', timeoutMs: 900_000 }),
    step(1, 'init', { version: 5, who: 'none', timeoutMs: 900_000 }),
    step(2, 'init', { version: 5, who: 'none', timeoutMs: 900_000 }),
    step(0, 'produce', { ...produce, version: 12, who: 'own' }),
    step(1, 'add', { version: 3, who: 'own', partition: 1 }),
    step(1, 'produce', { ...produce, version: 9, who: 'own', partition: 1 }),
    step(2, 'produce', { ...produce, version: 9, who: 'own', transactional: false }),
    step(0, 'commit-offsets', { version: 5, who: 'own', partition: 0, member: 'none', metadata: 'm' }),
  ],
  bad: [
    ...IMPOSTORS.flatMap((who) => [
      ...[3, 5].map((version) => step(0, 'add', { version, who, partition: 1, verifyOnly: false })),
      ...[0, 4].map((version) => step(0, 'add-offsets', { version, who })),
      ...[3, 5].flatMap((version) => [true, false].map((committed) => step(0, 'end', { version, who, committed }))),
    ]),
    // Without a look at the transactional id: a group knows of producers only.
    ...['old epoch', 'next epoch', 'foreign', 'no epoch'].flatMap((who) =>
      [3, 5].map((version) => step(0, 'commit-offsets', { version, who, partition: 1, member: 'none', metadata: 'm' })),
    ),
    step(0, 'init', { version: 5, who: 'foreign', timeoutMs: 900_000 }),
    ...['old epoch', 'foreign'].flatMap((who) => [
      ...[9, 11, 12, 13].map((version) => step(0, 'produce', { ...produce, version, who })),
    ]),
    ...[0, -1, 1_000_000].map((timeoutMs) => step(0, 'init', { version: 5, who: 'own', timeoutMs })),
    ...[0, 1, 2].map((client) =>
      step(client, 'produce', { ...produce, version: 9, who: 'own', partition: client % 2, sequence: 'gap' }),
    ),
    step(0, 'produce', { ...produce, version: 12, who: 'own', sequence: 'gap' }),
    step(0, 'produce', { ...produce, version: 9, who: 'own', partition: 1 }),
    step(0, 'produce', { ...produce, version: 12, who: 'own', partition: 9 }),
    step(0, 'produce', { ...produce, version: 12, who: 'own', transactional: false }),
    step(0, 'commit-offsets', { version: 5, who: 'own', partition: 1, member: 'none', metadata: 'oversized' }),
    step(0, 'commit-offsets', { version: 5, who: 'own', partition: 1, member: 'generation', metadata: 'm' }),
    step(0, 'commit-offsets', { version: 5, who: 'own', partition: 9, member: 'none', metadata: 'm' }),
  ],
}

export const badInputs: readonly BadInput[] = [classicGroup, consumerGroup, producers]
