import { apis } from '../../protocol/api-keys.ts'
import type { Arguments } from '../arguments.ts'
import { CommandError, UsageError } from '../console.ts'
import { type AdminClient, AdminError, check } from './client.ts'
import { type Result, required, type World, wholeNumber } from './command.ts'
import { alterConfigs, type ConfigChange } from './config-info.ts'
import type { TopicPartition } from './group-info.ts'
import { readJsonObject } from './json-file.ts'
import { moveReplicas, type Replica, replicaDirectories, replicaName } from './log-dir-info.ts'
import { partitionName } from './offset-info.ts'
import { withDirectories } from './reassign-directories.ts'
import { formatReassignment, parseReassignment, type Target, throttlesOf } from './reassign-plan.ts'
import { byTopic, describeTopics, listReassignments, listTopics } from './topic-info.ts'

const BROKER_RATES = ['leader.replication.throttled.rate', 'follower.replication.throttled.rate'] as const
const DIRECTORY_RATE = 'replica.alter.log.dirs.io.max.bytes.per.second'
const THROTTLED_LEADERS = 'leader.replication.throttled.replicas'
const THROTTLED_FOLLOWERS = 'follower.replication.throttled.replicas'

const DEFAULT_TIMEOUT_MS = 10_000
const MOVE_BACKOFF_MS = 100

function targetsOf(args: Arguments, { disk }: World): Target[] {
  return parseReassignment(readJsonObject(disk, required(args, 'reassignment-json-file')))
}

type Move = Replica & { readonly directory: string }

/** The replicas for which a directory was chosen. */
function chosenDirectories(targets: readonly Target[]): Move[] {
  return targets.flatMap(({ topic, partition, directories }) =>
    [...directories].map(([broker, directory]) => ({ topic, partition, broker, directory })),
  )
}

/** `--execute`. Throws UsageError, CommandError. */
export async function execute(args: Arguments, world: World): Promise<Result> {
  const { admin } = world
  const targets = targetsOf(args, world)
  const rate = wholeNumber(args, 'throttle', -1) ?? -1
  const directoryRate = wholeNumber(args, 'replica-alter-log-dirs-throttle', -1) ?? -1
  const timeoutMs = wholeNumber(args, 'timeout') ?? DEFAULT_TIMEOUT_MS
  const ongoing = await listReassignments(admin, null)
  if (ongoing.length > 0 && !args.has('additional')) {
    throw new CommandError(
      'partitions are being reassigned already; --additional adds to them, or changes their throttle',
    )
  }
  await checkBrokers(admin, targets)
  const now = await currentReplicas(admin, targets)
  const previous = await withDirectories(
    admin,
    targets.map(({ topic, partition }) => ({
      topic,
      partition,
      replicas: now.get(partitionName({ topic, partition }))!,
    })),
  )
  const text = ['Where the partitions are now; save it for --reassignment-json-file to go back:', '']
  text.push(JSON.stringify(formatReassignment(previous)), '')
  const moves = chosenDirectories(targets)
  if (rate >= 0) {
    await throttle(admin, throttlesOf(targets, ongoing, now), rate)
    text.push(`Replication of these partitions is limited to ${rate} bytes a second.`)
  }
  if (directoryRate >= 0) {
    const brokers = [...new Set(moves.map(({ broker }) => broker))]
    await alterBrokers(admin, brokers, [{ name: DIRECTORY_RATE, value: String(directoryRate) }])
    text.push(
      `Moves between directories are to stay below ${directoryRate} bytes a second, which brokers of Ottla do not heed.`,
    )
  }
  if (rate >= 0 || directoryRate >= 0) text.push('Run --verify until they are done: that lifts the limits.')
  await reassign(admin, targets, !args.has('disallow-replication-factor-change'))
  text.push(`Started to reassign ${targets.map(partitionName).join(', ')}.`)
  await moveAll(admin, moves, timeoutMs)
  if (moves.length > 0) text.push(`Started to move ${moves.map(replicaName).join(', ')} to the chosen directories.`)
  const json = {
    previous: formatReassignment(previous),
    started: targets.map(({ topic, partition }) => ({ topic, partition })),
    moved: moves.map(({ topic, partition, broker, directory }) => ({ topic, partition, broker, logDir: directory })),
    throttle: rate < 0 ? null : rate,
    logDirsThrottle: directoryRate < 0 ? null : directoryRate,
  }
  return { json, text }
}

async function checkBrokers(admin: AdminClient, targets: readonly Target[]): Promise<void> {
  const { brokers } = await admin.cluster()
  const unknown = targets.flatMap(({ replicas }) => replicas).find((id) => !brokers.has(id))
  if (unknown !== undefined) throw new CommandError(`broker ${unknown} is not available`)
}

/** The replicas of partitions, by their names. Throws CommandError where a partition is not there. */
async function currentReplicas(
  admin: AdminClient,
  partitions: readonly TopicPartition[],
): Promise<Map<string, readonly number[]>> {
  const described = await describeTopics(
    admin,
    byTopic(partitions).map(([topic]) => topic),
  )
  const all = new Map(
    described.flatMap(({ name: topic, partitions }) =>
      partitions.map(({ partition, replicas }) => [partitionName({ topic, partition }), replicas] as const),
    ),
  )
  const missing = partitions.map(partitionName).filter((name) => !all.has(name))
  if (missing.length > 0) throw new CommandError(`no such partition: ${missing.join(', ')}`)
  return all
}

async function throttle(
  admin: AdminClient,
  { topics, brokers }: ReturnType<typeof throttlesOf>,
  bytesPerSecond: number,
): Promise<void> {
  await alterConfigs(
    admin,
    [...topics].map(([name, { leaders, followers }]) => ({
      kind: 'topics',
      name,
      configs: [
        { name: THROTTLED_LEADERS, value: leaders },
        { name: THROTTLED_FOLLOWERS, value: followers },
      ],
    })),
  )
  await alterBrokers(
    admin,
    brokers,
    BROKER_RATES.map((name) => ({ name, value: String(bytesPerSecond) })),
  )
}

async function alterBrokers(
  admin: AdminClient,
  brokers: readonly number[],
  configs: readonly ConfigChange[],
): Promise<void> {
  await alterConfigs(
    admin,
    brokers.map((id) => ({ kind: 'brokers', name: String(id), configs })),
  )
}

/** Starts reassignments; `null` replicas cancel one. Throws CommandError that names all that are refused. */
async function reassign(
  admin: AdminClient,
  wanted: readonly (TopicPartition & { readonly replicas: readonly number[] | null })[],
  allowReplicationFactorChange = true,
): Promise<void> {
  const replicasOf = new Map(wanted.map((entry) => [partitionName(entry), entry.replicas]))
  const topics = byTopic(wanted).map(([name, indexes]) => ({
    name,
    partitions: indexes.map((partitionIndex) => ({
      partitionIndex,
      replicas: replicasOf.get(partitionName({ topic: name, partition: partitionIndex })) ?? null,
    })),
  }))
  const timeoutMs = admin.requestTimeoutMs
  const answer = await admin.retrying(async () => {
    const response = await admin.controller(
      apis.AlterPartitionReassignments,
      (version) => ({ timeoutMs, topics, ...(version > 0 ? { allowReplicationFactorChange } : {}) }),
      allowReplicationFactorChange ? 0 : 1,
    )
    check(response.errorCode, response.errorMessage)
    return response
  })
  const refused = answer.responses.flatMap(({ name, partitions }) =>
    partitions
      .filter(({ errorCode }) => errorCode !== 0)
      .map(({ partitionIndex, errorCode, errorMessage }) => {
        return `${partitionName({ topic: name, partition: partitionIndex })}: ${new AdminError(errorCode, errorMessage).message}`
      }),
  )
  if (refused.length > 0) throw new CommandError(refused.join('; '))
}

/** A replica that is on its way to a broker cannot be moved to a directory before it is there. */
async function moveAll(admin: AdminClient, moves: readonly Move[], timeoutMs: number): Promise<void> {
  const deadlineMs = admin.time.monotonicMs() + timeoutMs
  let pending = moves
  while (pending.length > 0) {
    const done = await moveReplicas(admin, pending)
    pending = pending.filter((move) => !done.has(replicaName(move)))
    if (pending.length === 0) return
    if (admin.time.monotonicMs() >= deadlineMs) {
      throw new CommandError(`not moved in time to the chosen directories: ${pending.map(replicaName).join(', ')}`)
    }
    await admin.pause(MOVE_BACKOFF_MS)
  }
}

type PartitionStatus = 'completed' | 'in progress' | 'different'
type MoveStatus = 'completed' | 'in progress' | 'elsewhere' | 'not moving' | 'missing'

/** `--verify`. Throws UsageError, CommandError. */
export async function verify(args: Arguments, world: World): Promise<Result> {
  const { admin } = world
  const targets = targetsOf(args, world)
  const ongoing = await listReassignments(admin, null)
  const partitions = await partitionStates(admin, targets, new Set(ongoing.map(partitionName)))
  const moves = await moveStates(admin, chosenDirectories(targets))
  const isDone = ongoing.length === 0 && moves.every(({ status }) => status !== 'in progress' && status !== 'elsewhere')
  const lifts = isDone && !args.has('preserve-throttles')
  if (lifts) await liftThrottles(world, targets)
  const text = partitions.map(({ status, replicas, ...place }) => {
    const name = partitionName(place)
    if (status === 'completed') return `Reassignment of ${name} is completed.`
    if (status === 'in progress') return `Reassignment of ${name} is still in progress.`
    return `${name} is not being reassigned, but is on ${replicas.join(',') || 'no broker'}.`
  })
  text.push(...moves.map((move) => `Move of ${replicaName(move)} to ${move.logDir}: ${move.status}.`))
  if (lifts) text.push('Throttles are lifted.')
  return { json: { partitions, moves, throttlesLifted: lifts }, text }
}

async function partitionStates(
  admin: AdminClient,
  targets: readonly Target[],
  ongoing: ReadonlySet<string>,
): Promise<(TopicPartition & { status: PartitionStatus; replicas: readonly number[]; target: readonly number[] })[]> {
  const there = new Set((await listTopics(admin)).map(({ name }) => name))
  const known = targets.map(({ topic }) => topic).filter((topic) => there.has(topic))
  const described = new Map((await describeTopics(admin, [...new Set(known)])).map((topic) => [topic.name, topic]))
  return targets.map(({ topic, partition, replicas: target }) => {
    const replicas = described.get(topic)?.partitions.find((info) => info.partition === partition)?.replicas ?? []
    const isThere = replicas.join() === target.join()
    const isMoving = ongoing.has(partitionName({ topic, partition }))
    const status = isMoving ? 'in progress' : isThere ? 'completed' : 'different'
    return { topic, partition, status, replicas, target }
  })
}

async function moveStates(
  admin: AdminClient,
  moves: readonly Move[],
): Promise<(Replica & { logDir: string; current: string | null; status: MoveStatus })[]> {
  const found = await replicaDirectories(admin, moves)
  return moves.map(({ topic, partition, broker, directory }) => {
    const { current, future } = found.get(replicaName({ topic, partition, broker })) ?? {}
    let status: MoveStatus = 'missing'
    if (future !== undefined) status = future === directory ? 'in progress' : 'elsewhere'
    else if (current !== undefined) status = current === directory ? 'completed' : 'not moving'
    return { topic, partition, broker, logDir: directory, current: current ?? null, status }
  })
}

/** Nothing tells which brokers sent, so that the throttles of all are lifted; of those at least that can be asked. */
async function liftThrottles({ admin, warn }: World, targets: readonly Target[]): Promise<void> {
  const { brokers } = await admin.cluster()
  const registered = await admin.registeredBrokers()
  for (const id of registered) if (!brokers.has(id)) warn(`broker ${id} is not available: its throttles stay`)
  await alterBrokers(
    admin,
    [...brokers.keys()],
    [...BROKER_RATES, DIRECTORY_RATE].map((name) => ({ name, value: null })),
  )
  const there = new Set((await listTopics(admin)).map(({ name }) => name))
  const topics = [...new Set(targets.map(({ topic }) => topic))].filter((topic) => there.has(topic))
  const configs = [THROTTLED_LEADERS, THROTTLED_FOLLOWERS].map((name) => ({ name, value: null }))
  await alterConfigs(
    admin,
    topics.map((name) => ({ kind: 'topics', name, configs })),
  )
}

/** `--cancel`. Throws UsageError, CommandError. */
export async function cancel(args: Arguments, world: World): Promise<Result> {
  const { admin } = world
  const targets = targetsOf(args, world)
  const chosen = chosenDirectories(targets)
  if (chosen.length > 0 && args.has('bootstrap-controller')) {
    throw new UsageError('moves between directories are cancelled by their brokers: use --bootstrap-server')
  }
  const active = (await listReassignments(admin, targets)).filter(
    ({ adding, removing }) => adding.length > 0 || removing.length > 0,
  )
  if (active.length > 0) {
    await reassign(
      admin,
      active.map(({ topic, partition }) => ({ topic, partition, replicas: null })),
    )
  }
  // A move back to where the replica is ends the one that goes on.
  const moving = (await moveStates(admin, chosen)).filter(({ status }) => status === 'in progress')
  const back = moving.map(({ topic, partition, broker, current }) => ({
    topic,
    partition,
    broker,
    directory: current!,
  }))
  await moveAll(admin, back, wholeNumber(args, 'timeout') ?? DEFAULT_TIMEOUT_MS)
  const lifts = !args.has('preserve-throttles') && !args.has('bootstrap-controller')
  if (lifts) await liftThrottles(world, targets)
  const cancelled = active.map(({ topic, partition }) => ({ topic, partition }))
  return {
    json: { cancelled, cancelledMoves: moving.map(({ topic, partition, broker }) => ({ topic, partition, broker })) },
    text: [
      active.length === 0
        ? 'None of these partitions is being reassigned.'
        : `Cancelled the reassignment of ${active.map(partitionName).join(', ')}.`,
      ...(moving.length === 0 ? [] : [`Cancelled the moves of ${moving.map(replicaName).join(', ')}.`]),
      ...(lifts ? ['Throttles are lifted.'] : []),
    ],
  }
}
