import type { KafkaTool, ToolRun } from '../harness/tools.ts'

/** A run of a tool whose result is compared between Ottla and Apache Kafka. */
export interface ComparedRun extends ToolRun {
  readonly label: string
  /** What of the output is compared: all of it, its lines sorted and ids, addresses and times masked, if not given. */
  readonly shown?: (stdout: string) => unknown
}

/** Takes out what differs between two brokers or two runs. */
export function masked(output: string): string[] {
  const lines = output
    .replaceAll(/127\.0\.0\.1:\d+/g, 'HOST')
    .replaceAll(/\b127\.0\.0\.1\s+\d{5}\b/g, 'HOST')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/(?<![\w-])[\w-]{22}(?![\w-])/g, 'ID')
    .replaceAll(/\b1[78]\d{11}\b/g, 'TIME')
    .replaceAll(/\/\S*\/data\b/g, 'DIRECTORY')
    .split('\n')
  return lines
    .map((line) => line.replaceAll(/\s+/g, ' ').trim())
    .filter((line) => line !== '')
    .sort()
}

const sizesMasked = (output: string) => masked(output).map((line) => line.replaceAll(/"size":\d+/g, '"size":N'))

const numbersMasked = (output: string) => masked(output).map((line) => line.replaceAll(/\d+(\.\d+)?/g, 'N'))

/** The last of the lines that the performance tools print, its columns with the given numbers. */
const columns =
  (...wanted: number[]) =>
  (output: string) => {
    const fields = output.trim().split('\n').at(-1)!.split(',')
    return wanted.map((index) => fields[index]?.trim())
  }

function compared(label: string, tool: KafkaTool, args: string, more: Partial<ComparedRun> = {}): ComparedRun {
  return { label: `${tool}: ${label}`, tool, args: args.split(' '), ...more }
}

const keyed = (count: number, tag: string) =>
  Array.from({ length: count }, (_, index) => `key-${index}\t${tag}-${index}\n`).join('')

const filling: ComparedRun[] = [
  compared('create', 'kafka-topics', '--create --topic t --partitions 3 --config retention.ms=360000000'),
  compared('create one with one partition', 'kafka-topics', '--create --topic one --partitions 1'),
  compared('create what is there', 'kafka-topics', '--create --topic t --partitions 3'),
  compared('create if it is not there', 'kafka-topics', '--create --if-not-exists --topic t --partitions 3'),
  compared('fewer partitions', 'kafka-topics', '--alter --topic t --partitions 2'),
  compared('delete what is not there', 'kafka-topics', '--delete --topic nowhere'),
  compared('records with keys', 'kafka-console-producer', '--topic t --reader-property parse.key=true', {
    stdin: keyed(90, 'value'),
  }),
  compared('records in one partition', 'kafka-console-producer', '--topic one', { stdin: keyed(20, 'one') }),
  compared('describe', 'kafka-topics', '--describe'),
  compared('partitions that lack replicas', 'kafka-topics', '--describe --under-replicated-partitions'),
  compared('partitions without a leader', 'kafka-topics', '--describe --unavailable-partitions'),
  compared('partitions at the least of replicas', 'kafka-topics', '--describe --at-min-isr-partitions --topic t'),
  compared('topics with configs', 'kafka-topics', '--describe --topics-with-overrides'),
  compared('sizes', 'kafka-log-dirs', '--describe --topic-list t,one', { shown: sizesMasked }),
  compared('sizes on a broker', 'kafka-log-dirs', '--describe --topic-list one --broker-list 1', {
    shown: sizesMasked,
  }),
  compared(
    'records with all that is known of them',
    'kafka-console-consumer',
    [
      '--topic t --partition 0 --offset 5 --max-messages 10 --timeout-ms 30000',
      ...['key', 'offset', 'partition', 'epoch', 'delivery'].map((what) => `--formatter-property print.${what}=true`),
    ].join(' '),
  ),
]

const offsets: ComparedRun[] = [
  ...['-1', '-2', '-4', '-5', '-6', 'earliest', 'latest', 'earliest-local', 'latest-tiered', '0', '9000000000000'].map(
    (time) => compared(`at ${time}`, 'kafka-get-offsets', `--topic-partitions t:0-3,one --time ${time}`),
  ),
  compared('at the newest time', 'kafka-get-offsets', '--topic one --time max-timestamp', { shown: numbersMasked }),
  compared('of some partitions', 'kafka-get-offsets', '--topic t --partitions 0,2,7 --exclude-internal-topics'),
  compared('of a topic that is not there', 'kafka-get-offsets', '--topic nowhere'),
]

const groupOf = (args: string) => `--group g ${args}`

const groups: ComparedRun[] = [
  compared('in a group', 'kafka-console-consumer', '--topic t --group g --from-beginning --max-messages 90'),
  compared(
    'in a group of the new protocol',
    'kafka-console-consumer',
    '--topic t --group new --from-beginning --max-messages 90 --command-property group.protocol=consumer',
  ),
  compared('the groups', 'kafka-consumer-groups', '--list'),
  compared('the groups with type and state', 'kafka-consumer-groups', '--list --state --type'),
  compared('those that are empty and classic', 'kafka-consumer-groups', '--list --state empty --type classic'),
  compared('all groups', 'kafka-groups', '--list'),
  compared('groups of a type', 'kafka-groups', '--list --group-type consumer'),
  compared('groups of a protocol', 'kafka-groups', '--list --protocol consumer'),
  compared('offsets', 'kafka-consumer-groups', `--describe ${groupOf('--offsets')}`),
  compared('offsets, the new protocol', 'kafka-consumer-groups', '--describe --group new --offsets --verbose'),
  compared('state', 'kafka-consumer-groups', `--describe ${groupOf('--state --verbose')}`),
  compared('state, the new protocol', 'kafka-consumer-groups', '--describe --group new --state --verbose'),
  compared('members', 'kafka-consumer-groups', `--describe ${groupOf('--members --verbose')}`),
  compared('no such group', 'kafka-consumer-groups', '--describe --group nobody'),
  ...[
    '--to-earliest --dry-run',
    '--to-latest --dry-run',
    '--to-current --export --dry-run',
    '--shift-by -5 --execute',
    '--to-offset 1000 --dry-run',
    '--to-datetime 2020-01-01T00:00:00.000 --dry-run',
    '--by-duration P1D --execute',
  ].map((how) => compared(`reset ${how}`, 'kafka-consumer-groups', groupOf(`--reset-offsets --topic t ${how}`))),
  compared(
    'reset one partition',
    'kafka-consumer-groups',
    groupOf('--reset-offsets --topic t:1 --to-latest --execute'),
  ),
  compared(
    'reset a group that is not there',
    'kafka-consumer-groups',
    '--reset-offsets --group x --topic t --to-earliest --execute',
  ),
  compared('offsets after that', 'kafka-consumer-groups', '--describe --all-groups'),
  compared('delete offsets', 'kafka-consumer-groups', groupOf('--delete-offsets --topic t:0,1')),
  compared('delete offsets of nothing', 'kafka-consumer-groups', groupOf('--delete-offsets --topic one')),
  compared('delete a group', 'kafka-consumer-groups', '--delete --group g'),
  compared('delete no group', 'kafka-consumer-groups', '--delete --group nobody'),
]

const applications: ComparedRun[] = [
  ...['--dry-run', '--to-earliest', '--shift-by 3'].map((how) =>
    compared(how, 'kafka-streams-application-reset', `--application-id app --input-topics t,one ${how}`),
  ),
  compared('offsets of an application', 'kafka-consumer-groups', '--describe --group app'),
]

const cluster: ComparedRun[] = [
  compared('status', 'kafka-metadata-quorum', 'describe --status', { shown: numbersMasked }),
  compared('replication', 'kafka-metadata-quorum', 'describe --replication', { shown: numbersMasked }),
  compared('levels', 'kafka-features', 'describe', {
    shown: (output) => masked(output).map((line) => line.replace(/Epoch: \d+/, 'Epoch: N')),
  }),
  compared('a level that there is not', 'kafka-features', 'upgrade --feature group.version=9'),
  compared('a feature that there is not', 'kafka-features', 'upgrade --feature nothing.version=1'),
  compared('the endpoints', 'kafka-cluster', 'list-endpoints --bootstrap-server BOOTSTRAP'),
  compared(
    'the endpoints with those that are fenced',
    'kafka-cluster',
    'list-endpoints --bootstrap-server BOOTSTRAP --include-fenced-brokers',
  ),
  compared('the id', 'kafka-cluster', 'cluster-id --bootstrap-server BOOTSTRAP'),
  compared('a broker that is not there', 'kafka-cluster', 'unregister --bootstrap-server BOOTSTRAP --id 77'),
  compared(
    'make',
    'kafka-client-metrics',
    '--alter --name m --metrics org.apache.kafka --interval 5000 --match client_id=x',
  ),
  compared('make one without a good match', 'kafka-client-metrics', '--alter --name bad --match nothing=x'),
  compared('list', 'kafka-client-metrics', '--list'),
  compared('describe', 'kafka-client-metrics', '--describe'),
  compared('of metrics', 'kafka-configs', '--describe --entity-type client-metrics'),
  compared('delete', 'kafka-client-metrics', '--delete --name m'),
  compared('of a topic', 'kafka-configs', '--describe --entity-type topics --entity-name t'),
  compared('of a topic, all', 'kafka-configs', '--describe --all --entity-type topics --entity-name one'),
  compared('of all topics', 'kafka-configs', '--describe --entity-type topics'),
  compared('an unknown config', 'kafka-configs', '--alter --entity-type topics --entity-name t --add-config a.b=1'),
  compared('a bad value', 'kafka-configs', '--alter --entity-type topics --entity-name t --add-config retention.ms=x'),
  compared(
    'of a topic that is not there',
    'kafka-configs',
    '--alter --entity-type topics --entity-name no --add-config retention.ms=1',
  ),
  compared(
    'of all brokers',
    'kafka-configs',
    '--alter --entity-type brokers --entity-default --add-config log.retention.ms=90000000',
  ),
  compared('of all brokers, described', 'kafka-configs', '--describe --entity-type brokers --entity-default'),
  compared(
    'of groups',
    'kafka-configs',
    '--alter --entity-type groups --entity-name s --add-config share.auto.offset.reset=earliest',
  ),
  compared('of a group', 'kafka-configs', '--describe --entity-type groups --entity-name s'),
  compared('preferred leaders', 'kafka-leader-election', '--election-type preferred --topic t --partition 1'),
  compared('an election for nothing', 'kafka-leader-election', '--election-type unclean --topic nowhere --partition 1'),
  compared('what goes on', 'kafka-reassign-partitions', '--list'),
]

const transactions: ComparedRun[] = [
  compared('output topic', 'kafka-topics', '--create --topic copies --partitions 3'),
  compared(
    'all of a partition',
    'transactional-message-copier',
    '--broker-list BOOTSTRAP --input-topic t --input-partition 1 --output-topic copies --transactional-id copier ' +
      '--consumer-group copiers --transaction-size 7 --use-group-metadata --enable-random-aborts',
    { shown: (output) => JSON.parse(output.trim().split('\n').at(-1)!).remaining },
  ),
  compared(
    'copies',
    'kafka-console-consumer',
    '--topic copies --from-beginning --isolation-level read_committed --max-messages 33',
  ),
  compared('offsets of copies', 'kafka-consumer-groups', '--describe --group copiers'),
  compared('transactional ids', 'kafka-transactions', 'list', {
    shown: (output) => masked(output).map((line) => line.split(' ').at(-1)),
  }),
  compared('nothing hangs', 'kafka-transactions', 'find-hanging --broker-id 1'),
  compared('no such transactional id', 'kafka-transactions', 'describe --transactional-id nobody'),
  compared('no producer', 'kafka-transactions', 'describe-producers --topic one --partition 0', {
    shown: numbersMasked,
  }),
]

const shares: ComparedRun[] = [
  compared(
    'in a share group',
    'kafka-console-share-consumer',
    '--topic t --group s --max-messages 90 --timeout-ms 30000',
  ),
  compared('list', 'kafka-share-groups', '--list --state'),
  compared('state', 'kafka-share-groups', '--describe --group s --state --verbose'),
  compared('members', 'kafka-share-groups', '--describe --group s --members'),
  compared('start offsets', 'kafka-share-groups', '--describe --group s --offsets'),
  compared('reset', 'kafka-share-groups', '--reset-offsets --group s --topic t --to-earliest --execute'),
  compared('start offsets again', 'kafka-share-groups', '--describe --group s --offsets'),
  compared('everything again', 'kafka-share-consumer-perf-test', '--topic t --group s --num-records 90 --hide-header', {
    shown: columns(5),
  }),
  compared(
    'a group that is not there',
    'kafka-share-groups',
    '--reset-offsets --group f --topic one --to-latest --execute',
  ),
  compared('tried out', 'kafka-share-groups', '--reset-offsets --group s --all-topics --to-latest --dry-run'),
  compared(
    'to a time',
    'kafka-share-groups',
    '--reset-offsets --group s --topic t --to-datetime 2020-01-01T00:00:00.000 --execute',
  ),
  compared('delete offsets that are not there', 'kafka-share-groups', '--delete-offsets --group f --topic t'),
  compared('of all groups', 'kafka-share-groups', '--describe --all-groups --offsets --verbose'),
  compared('share groups', 'kafka-groups', '--list --share'),
  compared('delete offsets', 'kafka-share-groups', '--delete-offsets --group s --topic t'),
  compared('delete', 'kafka-share-groups', '--delete --group s --group f'),
  compared('delete what is not there', 'kafka-share-groups', '--delete --group s'),
]

const performance: ComparedRun[] = [
  compared(
    'one after the other',
    'kafka-e2e-latency',
    '--topic e2e --num-records 50 --producer-acks all --record-size 100 --num-headers 2 --record-header-key-size 3 --record-header-size 4',
    { shown: numbersMasked },
  ),
  compared(
    'in transactions',
    'kafka-producer-perf-test',
    '--topic perf --num-records 3000 --record-size 500 --throughput -1 --transaction-duration-ms 50',
    {
      shown: (output) => /^3000 records sent/m.test(output),
    },
  ),
  compared('all of it', 'kafka-consumer-perf-test', '--topic perf --num-records 3000 --hide-header --timeout 30000', {
    shown: columns(2, 4),
  }),
]

/** In their order: later runs see what earlier ones left. */
export const comparedRuns: readonly ComparedRun[] = [
  ...filling,
  ...offsets,
  ...groups,
  ...applications,
  ...cluster,
  ...transactions,
  ...shares,
  ...performance,
]
