import type { Arguments } from '../arguments.ts'
import { UsageError } from '../console.ts'
import type { AdminClient } from './client.ts'
import type { Result, World } from './command.ts'
import { committedOffsets, describeGroup, type GroupDescription, type TopicPartition } from './group-info.ts'
import { LATEST, listOffsets, partitionName } from './offset-info.ts'
import { table } from './table.ts'
import { byTopic, comparePartitions, compareText, listTopics } from './topic-info.ts'

/** `ottla groups --describe`. Throws UsageError, CommandError. */
export async function describeGroups(args: Arguments, world: World, names: readonly string[]): Promise<Result> {
  const views = (['offsets', 'members', 'state'] as const).filter((name) => args.has(name))
  if (views.length > 1) throw new UsageError(`--${views[0]} and --${views[1]} exclude each other`)
  if (args.value('state')) throw new UsageError('--describe takes --state without a value')
  const { admin, warn } = world
  const described: GroupDescription[] = []
  const errors: string[] = []
  for (const name of names) {
    const group = await describeGroup(admin, name)
    if (group === undefined) errors.push(`group ${name} does not exist`)
    else described.push(group)
  }
  const [view = 'offsets'] = views
  if (view !== 'state') for (const group of described) warnOfState(group, warn)
  const verbose = args.has('verbose')
  if (view === 'members') return { ...members(described, verbose), errors }
  if (view === 'state') return { ...states(described, verbose), errors }
  return { ...(await offsets(admin, described, verbose)), errors }
}

function warnOfState({ group, state }: GroupDescription, warn: (line: string) => void): void {
  if (state === 'Empty') warn(`group ${group} has no active members`)
  else if (state !== 'Stable') warn(`group ${group} is rebalancing`)
}

interface OffsetRow extends TopicPartition {
  readonly currentOffset: number | null
  readonly leaderEpoch: number | null
  readonly logEndOffset: number | null
  readonly lag: number | null
  readonly consumerId: string | null
  readonly host: string | null
  readonly clientId: string | null
}

async function offsets(admin: AdminClient, described: readonly GroupDescription[], verbose: boolean): Promise<Result> {
  const names = new Map((await listTopics(admin)).map(({ id, name }) => [id, name]))
  const all: { group: string; state: string; offsets: OffsetRow[] }[] = []
  for (const group of described) {
    all.push({
      group: group.group,
      state: group.state,
      offsets: await offsetsOf(admin, group, (id) => names.get(id)),
    })
  }
  const rows = all.flatMap(({ group, offsets }) =>
    offsets.map((row) => [
      group,
      row.topic,
      row.partition,
      ...(verbose ? [row.leaderEpoch ?? ''] : []),
      row.currentOffset ?? '',
      row.logEndOffset ?? '',
      row.lag ?? '',
      row.consumerId ?? '',
      row.host ?? '',
      row.clientId ?? '',
    ]),
  )
  const heading = ['GROUP', 'TOPIC', 'PARTITION', ...(verbose ? ['LEADER-EPOCH'] : []), 'CURRENT-OFFSET']
  heading.push('LOG-END-OFFSET', 'LAG', 'CONSUMER-ID', 'HOST', 'CLIENT-ID')
  return { json: { groups: all }, text: rows.length === 0 ? [] : table(heading, rows) }
}

/** What a group has committed, and what is assigned to its members: those with most partitions first. */
async function offsetsOf(
  admin: AdminClient,
  { group, members }: GroupDescription,
  nameOfTopic: (id: string) => string | undefined,
): Promise<OffsetRow[]> {
  const committed = await committedOffsets(admin, group, nameOfTopic)
  const byPartition = new Map(committed.map((offset) => [partitionName(offset), offset]))
  const assigned = members.flatMap(({ assignment }) => assignment)
  const isAssigned = new Set(assigned.map(partitionName))
  const unassigned = committed.filter((offset) => !isAssigned.has(partitionName(offset)))
  const ends = await listOffsets(admin, [...assigned, ...unassigned], LATEST)
  const rowOf = ({ topic, partition }: TopicPartition, member?: GroupDescription['members'][number]): OffsetRow => {
    const name = partitionName({ topic, partition })
    const end = ends.get(name) ?? null
    const current = byPartition.get(name)
    return {
      topic,
      partition,
      currentOffset: current?.offset ?? null,
      leaderEpoch: current?.leaderEpoch ?? null,
      logEndOffset: end,
      lag: current === undefined || end === null ? null : end - current.offset,
      consumerId: member?.memberId ?? null,
      host: member?.host ?? null,
      clientId: member?.clientId ?? null,
    }
  }
  const busiestFirst = [...members].sort((a, b) => b.assignment.length - a.assignment.length)
  return [
    ...busiestFirst.flatMap((member) =>
      [...member.assignment].sort(comparePartitions).map((partition) => rowOf(partition, member)),
    ),
    ...[...unassigned].sort(comparePartitions).map((partition) => rowOf(partition)),
  ]
}

function assignmentText(assignment: readonly TopicPartition[]): string {
  return byTopic(assignment)
    .map(([topic, partitions]) => `${topic}:${partitions.sort((a, b) => a - b).join(',')}`)
    .sort(compareText)
    .join(';')
}

function members(described: readonly GroupDescription[], verbose: boolean): Result {
  const all = described.map(({ group, state, targetAssignmentEpoch, members }) => ({
    group,
    state,
    members: members.map((member) => ({
      consumerId: member.memberId,
      instanceId: member.instanceId,
      host: member.host,
      clientId: member.clientId,
      partitionCount: member.assignment.length,
      assignment: [...member.assignment].sort(comparePartitions),
      currentEpoch: member.epoch,
      targetEpoch: targetAssignmentEpoch,
      targetAssignment: member.targetAssignment === null ? null : [...member.targetAssignment].sort(comparePartitions),
      upgraded: member.upgraded,
    })),
  }))
  const rows = all.flatMap(({ group, members }) =>
    members.map((member) => [
      group,
      member.consumerId,
      member.instanceId ?? '',
      member.host,
      member.clientId,
      member.partitionCount,
      ...(verbose
        ? [
            member.currentEpoch ?? '',
            assignmentText(member.assignment),
            member.targetEpoch ?? '',
            assignmentText(member.targetAssignment ?? []),
            member.upgraded === null ? '' : String(member.upgraded),
          ]
        : []),
    ]),
  )
  const heading = ['GROUP', 'CONSUMER-ID', 'INSTANCE-ID', 'HOST', 'CLIENT-ID', 'PARTITIONS']
  if (verbose) heading.push('CURRENT-EPOCH', 'CURRENT-ASSIGNMENT', 'TARGET-EPOCH', 'TARGET-ASSIGNMENT', 'UPGRADED')
  return { json: { groups: all }, text: rows.length === 0 ? [] : table(heading, rows) }
}

function states(described: readonly GroupDescription[], verbose: boolean): Result {
  const all = described.map((group) => ({
    group: group.group,
    coordinator: group.coordinator,
    assignmentStrategy: group.assignor === '' ? null : group.assignor,
    state: group.state,
    groupEpoch: group.groupEpoch,
    targetAssignmentEpoch: group.targetAssignmentEpoch,
    memberCount: group.members.length,
  }))
  const rows = all.map(({ coordinator: { id, host, port }, ...group }) => [
    group.group,
    `${host}:${port} (${id})`,
    group.assignmentStrategy ?? '',
    group.state,
    ...(verbose ? [group.groupEpoch ?? '', group.targetAssignmentEpoch ?? ''] : []),
    group.memberCount,
  ])
  const heading = ['GROUP', 'COORDINATOR (ID)', 'ASSIGNMENT-STRATEGY', 'STATE']
  if (verbose) heading.push('GROUP-EPOCH', 'TARGET-ASSIGNMENT-EPOCH')
  heading.push('MEMBERS')
  return { json: { groups: all }, text: rows.length === 0 ? [] : table(heading, rows) }
}
