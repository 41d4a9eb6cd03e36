import type { Arguments } from '../arguments.ts'
import { CommandError, UsageError } from '../console.ts'
import type { AdminClient } from './client.ts'
import { type Result, readText, type World, wholeNumber } from './command.ts'
import { type CommittedOffset, committedOffsets, describeGroup, type TopicPartition } from './group-info.ts'
import { commitOffsets, EARLIEST, LATEST, leadersOf, listOffsets, partitionName, partitionsOf } from './offset-info.ts'
import { parseDateTime, parseDuration } from './reset-time.ts'
import { printable, table } from './table.ts'
import { comparePartitions, listTopics } from './topic-info.ts'

const STRATEGIES = [
  'to-offset',
  'shift-by',
  'to-datetime',
  'by-duration',
  'to-earliest',
  'to-latest',
  'to-current',
  'from-file',
] as const
export const RESET_FLAGS: readonly string[] = STRATEGIES

interface NewOffset extends TopicPartition {
  readonly offset: number
}

/** How offsets are to be reset. */
type Plan =
  | { readonly how: 'to-offset' | 'shift-by'; readonly number: number }
  | { readonly how: 'time'; readonly timeMs: number }
  | { readonly how: 'to-earliest' | 'to-latest' | 'to-current' }
  | { readonly how: 'from-file'; readonly rows: readonly (NewOffset & { readonly group: string })[] }

/** `ottla groups --reset-offsets`. Throws UsageError, CommandError. */
export async function resetOffsets(
  args: Arguments,
  world: World,
  wantedGroups: () => Promise<string[]>,
): Promise<Result> {
  const { admin, warn } = world
  if (args.has('dry-run') && args.has('execute')) throw new UsageError('--dry-run and --execute exclude each other')
  const plan = planOf(args, world)
  const hasScope = args.has('topic') || args.has('all-topics')
  if (args.has('topic') && args.has('all-topics')) throw new UsageError('--topic and --all-topics exclude each other')
  if (!hasScope && plan.how !== 'from-file') throw new UsageError('--topic or --all-topics is required')
  const execute = args.has('execute')
  const groups: { group: string; offsets: { topic: string; partition: number; newOffset: number }[] }[] = []
  const errors: string[] = []
  for (const group of await wantedGroups()) {
    const state = (await describeGroup(admin, group))?.state ?? 'Dead'
    if (state !== 'Empty' && state !== 'Dead') {
      errors.push(`the offsets of group ${group} can be reset only while it has no members, but it is ${state}`)
      continue
    }
    const offsets = await newOffsets(args, world, group, plan)
    if (execute) await commitOffsets(admin, group, offsets)
    groups.push({
      group,
      offsets: offsets.map(({ topic, partition, offset }) => ({ topic, partition, newOffset: offset })),
    })
  }
  if (!execute && !args.has('dry-run')) warn('nothing is changed without --execute')
  const rows = groups.flatMap(({ group, offsets }) =>
    offsets.map(({ topic, partition, newOffset }) => [group, topic, partition, newOffset]),
  )
  const text = args.has('export')
    ? exported(rows, args.values('group').length === 1)
    : table(['GROUP', 'TOPIC', 'PARTITION', 'NEW-OFFSET'], rows)
  return { json: { executed: execute, groups }, text, errors }
}

function planOf(args: Arguments, { disk, admin }: World): Plan {
  const given = STRATEGIES.filter((name) => args.has(name))
  const [how] = given
  if (how === undefined || given.length > 1) {
    throw new UsageError(`exactly one is needed of ${STRATEGIES.map((name) => `--${name}`).join(', ')}`)
  }
  switch (how) {
    case 'to-offset':
      return { how, number: wholeNumber(args, how)! }
    case 'shift-by':
      return { how, number: wholeNumber(args, how, Number.MIN_SAFE_INTEGER)! }
    case 'to-datetime':
      return { how: 'time', timeMs: parseDateTime(args.value(how)!) }
    case 'by-duration':
      return { how: 'time', timeMs: admin.time.nowMs() - parseDuration(args.value(how)!) }
    case 'from-file': {
      const groups = args.values('group')
      return { how, rows: parsePlan(readText(disk, args.value(how)!), groups.length === 1 ? groups[0] : undefined) }
    }
    default:
      return { how }
  }
}

async function newOffsets(args: Arguments, world: World, group: string, plan: Plan): Promise<NewOffset[]> {
  const { admin, warn } = world
  if (plan.how === 'from-file') {
    const own = plan.rows.filter((row) => row.group === group)
    if (own.length === 0) throw new CommandError(`the file has no offsets of group ${group}`)
    await checkPartitions(admin, own)
    return withinLog(admin, own, warn)
  }
  const names = new Map((await listTopics(admin)).map(({ id, name }) => [id, name]))
  const needsCommitted = args.has('all-topics') || plan.how === 'shift-by' || plan.how === 'to-current'
  const committed = needsCommitted ? await committedOffsets(admin, group, (id) => names.get(id)) : []
  const scope = args.has('all-topics') ? committed : await partitionsOf(admin, args.values('topic'))
  const partitions = scope.map(({ topic, partition }) => ({ topic, partition })).sort(comparePartitions)
  await checkPartitions(admin, partitions)
  const ofCommitted = new Map(committed.map((entry) => [partitionName(entry), entry]))
  switch (plan.how) {
    case 'to-earliest':
      return placed(partitions, await listOffsets(admin, partitions, EARLIEST))
    case 'to-latest':
      return placed(partitions, await listOffsets(admin, partitions, LATEST))
    case 'to-offset':
      return withinLog(
        admin,
        partitions.map((partition) => ({ ...partition, offset: plan.number })),
        warn,
      )
    case 'shift-by':
      return withinLog(admin, shifted(partitions, ofCommitted, plan.number), warn)
    case 'time':
      return atTime(admin, partitions, plan.timeMs, warn)
    case 'to-current':
      return current(admin, partitions, ofCommitted)
  }
}

/** Throws CommandError where a partition does not exist, or has no leader. */
async function checkPartitions(admin: AdminClient, partitions: readonly TopicPartition[]): Promise<void> {
  const leaders = await leadersOf(admin, partitions)
  const missing = partitions.map(partitionName).filter((name) => !leaders.has(name))
  if (missing.length > 0) throw new CommandError(`no such partition: ${missing.join(', ')}`)
  const idle = partitions.map(partitionName).filter((name) => leaders.get(name) === null)
  if (idle.length > 0) throw new CommandError(`without a leader: ${idle.join(', ')}`)
}

function placed(partitions: readonly TopicPartition[], offsets: ReadonlyMap<string, number>): NewOffset[] {
  return partitions.map((partition) => {
    const offset = offsets.get(partitionName(partition))
    if (offset === undefined) throw new CommandError(`the offset of ${partitionName(partition)} cannot be found out`)
    return { ...partition, offset }
  })
}

function shifted(
  partitions: readonly TopicPartition[],
  committed: ReadonlyMap<string, CommittedOffset>,
  by: number,
): NewOffset[] {
  return partitions.map((partition) => {
    const now = committed.get(partitionName(partition))
    if (now === undefined) {
      throw new CommandError(`${partitionName(partition)} has no committed offset that could be shifted`)
    }
    return { ...partition, offset: now.offset + by }
  })
}

/** Offsets outside of what the log holds become its first or last. */
async function withinLog(
  admin: AdminClient,
  offsets: readonly NewOffset[],
  warn: (line: string) => void,
): Promise<NewOffset[]> {
  const firsts = await listOffsets(admin, offsets, EARLIEST)
  const lasts = await listOffsets(admin, offsets, LATEST)
  return offsets.map(({ topic, partition, offset }) => {
    const name = partitionName({ topic, partition })
    const first = firsts.get(name) ?? 0
    const last = lasts.get(name) ?? first
    const within = Math.min(Math.max(offset, first), last)
    if (within !== offset) warn(`offset ${offset} is outside of ${name}; it becomes ${within}`)
    return { topic, partition, offset: within }
  })
}

async function atTime(
  admin: AdminClient,
  partitions: readonly TopicPartition[],
  timeMs: number,
  warn: (line: string) => void,
): Promise<NewOffset[]> {
  const found = await listOffsets(admin, partitions, timeMs)
  const later = partitions.filter((partition) => found.get(partitionName(partition)) === -1)
  for (const partition of later) warn(`${partitionName(partition)} has no record as late; its end is taken`)
  const ends = later.length === 0 ? [] : await listOffsets(admin, later, LATEST)
  return placed(partitions, new Map([...found, ...ends]))
}

async function current(
  admin: AdminClient,
  partitions: readonly TopicPartition[],
  committed: ReadonlyMap<string, CommittedOffset>,
): Promise<NewOffset[]> {
  const without = partitions.filter((partition) => !committed.has(partitionName(partition)))
  const ends = without.length === 0 ? [] : await listOffsets(admin, without, LATEST)
  const offsets = new Map([...[...committed].map(([name, { offset }]) => [name, offset] as const), ...ends])
  return placed(partitions, offsets)
}

/** Apache Kafka's form: topic,partition,offset, and the group first where there are several. */
function exported(rows: readonly (readonly (string | number)[])[], isOneGroup: boolean): string[] {
  return rows.map((row) => (isOneGroup ? row.slice(1) : row).map(quoted).join(','))
}

function quoted(value: string | number): string {
  const text = printable(String(value))
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Lines of topic,partition,offset, with the group first where `group` is undefined. Throws CommandError. */
export function parsePlan(text: string, group: string | undefined): (NewOffset & { readonly group: string })[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  return lines.map((line) => {
    const fields = fieldsOf(line)
    const own = fields.length === 3 && group !== undefined ? [group, ...fields] : fields
    const [ofGroup, topic, partition, offset] = own
    if (own.length !== 4 || !/^[0-9]{1,10}$/.test(partition!) || !/^[0-9]{1,16}$/.test(offset!)) {
      throw new CommandError(`'${line}' is not [group,]topic,partition,offset`)
    }
    return { group: ofGroup!, topic: topic!, partition: Number(partition), offset: Number(offset) }
  })
}

function fieldsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare!.trim(),
  )
}
