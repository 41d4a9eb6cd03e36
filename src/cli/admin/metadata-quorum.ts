import { apis } from '../../protocol/api-keys.ts'
import type { DescribeQuorumResponse } from '../../protocol/messages/describe-quorum.ts'
import { ZERO_UUID } from '../../protocol/uuid.ts'
import type { Arguments } from '../arguments.ts'
import { CommandError, UsageError } from '../console.ts'
import { type AdminClient, AdminError, check } from './client.ts'
import {
  type AdminCommand,
  COMMON_HELP,
  CONTROLLER_HELP,
  onlyWith,
  type Result,
  switches,
  type World,
} from './command.ts'
import { addController, removeController } from './quorum-voters.ts'
import { labelled, table } from './table.ts'

const HELP: readonly string[] = [
  'ottla metadata-quorum: the quorum of controllers, as kafka-metadata-quorum does.',
  '',
  '    describe --status                  leader, epoch, lag, voters and observers',
  '    describe --replication [--human-readable]   how far each node is',
  '    add-controller --command-config FILE [--dry-run]    FILE is the configuration of the running controller to add',
  '    remove-controller --controller-id ID --controller-directory-id ID [--dry-run]',
  ...COMMON_HELP,
  CONTROLLER_HELP,
]

const METADATA_TOPIC = '__cluster_metadata'

/** `ottla metadata-quorum`: what Apache Kafka's kafka-metadata-quorum does. */
export const metadataQuorum: AdminCommand = {
  name: 'metadata-quorum',
  help: HELP,
  mayAskController: true,
  takesAnyProperty: true,
  flags: [
    ...switches('status', 'replication', 'human-readable', 'dry-run'),
    { name: 'controller-id', short: 'i', takesValue: true },
    { name: 'controller-directory-id', short: 'd', takesValue: true },
  ],
  run(args, world) {
    const [action, ...more] = args.positional
    const rest = { ...args, positional: more }
    switch (action) {
      case 'describe':
        onlyWith(rest, 'describe', ['status', 'replication', 'human-readable'])
        return describe(args, world)
      case 'add-controller':
        onlyWith(rest, action, ['dry-run'])
        if (!args.has('command-config')) throw new UsageError('add-controller needs --command-config')
        return addController(args, world)
      case 'remove-controller':
        onlyWith(rest, action, ['controller-id', 'controller-directory-id', 'dry-run'])
        return removeController(args, world)
      default:
        throw new UsageError('exactly one action is needed: describe, add-controller, remove-controller')
    }
  },
}

type Quorum = DescribeQuorumResponse['topics'][number]['partitions'][number]
type Replica = Quorum['currentVoters'][number]

async function describe(args: Arguments, { admin }: World): Promise<Result> {
  if (args.has('status') === args.has('replication')) throw new UsageError('either --status or --replication is needed')
  if (args.has('status') && args.has('human-readable')) throw new UsageError('--human-readable goes with --replication')
  const { quorum, nodes } = await describeQuorum(admin)
  const leader = quorum.currentVoters.find(({ replicaId }) => replicaId === quorum.leaderId)
  if (leader === undefined) throw new CommandError('the quorum has no leader at present')
  if (args.has('replication')) return replication(quorum, leader, args.has('human-readable'), admin.time.nowMs())
  const { clusterId } = await admin.cluster()
  return status(clusterId, quorum, leader, nodes)
}

function describeQuorum(admin: AdminClient): Promise<{ quorum: Quorum; nodes: DescribeQuorumResponse['nodes'] }> {
  const topics = [{ topicName: METADATA_TOPIC, partitions: [{ partitionIndex: 0 }] }]
  return admin.retrying(async () => {
    const answer = await admin.controller(apis.DescribeQuorum, () => ({ topics }))
    check(answer.errorCode, answer.errorMessage)
    const quorum = answer.topics[0]?.partitions[0]
    if (quorum === undefined) throw new CommandError('the broker says nothing of the quorum')
    if (quorum.errorCode !== 0) throw new AdminError(quorum.errorCode, quorum.errorMessage)
    return { quorum, nodes: answer.nodes }
  })
}

function status(clusterId: string, quorum: Quorum, leader: Replica, nodes: DescribeQuorumResponse['nodes']): Result {
  const slowest = quorum.currentVoters.reduce((a, b) => (b.logEndOffset < a.logEndOffset ? b : a))
  const memberOf = ({ replicaId: id, replicaDirectoryId }: Replica) => ({
    id,
    directoryId: replicaDirectoryId === ZERO_UUID ? null : replicaDirectoryId,
    endpoints: (nodes.find(({ nodeId }) => nodeId === id)?.listeners ?? []).map(
      ({ name, host, port }) => `${name}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ),
  })
  const json = {
    clusterId,
    leaderId: quorum.leaderId,
    leaderEpoch: quorum.leaderEpoch,
    highWatermark: quorum.highWatermark,
    maxFollowerLag: leader.logEndOffset - slowest.logEndOffset,
    maxFollowerLagTimeMs: lagMs(leader, slowest),
    currentVoters: quorum.currentVoters.map(memberOf),
    currentObservers: quorum.observers.map(memberOf),
  }
  const membersText = (members: readonly ReturnType<typeof memberOf>[]) =>
    members.map(({ id, directoryId, endpoints }) => {
      const more = [...(directoryId === null ? [] : [directoryId]), ...endpoints]
      return more.length === 0 ? String(id) : `${id} (${more.join(', ')})`
    })
  const text = labelled([
    ['Cluster id', clusterId],
    ['Leader', json.leaderId],
    ['Leader epoch', json.leaderEpoch],
    ['High watermark', json.highWatermark],
    ['Largest lag of a voter', `${json.maxFollowerLag} records, ${json.maxFollowerLagTimeMs ?? '?'} ms`],
    ['Voters', membersText(json.currentVoters).join('; ')],
    ['Observers', membersText(json.currentObservers).join('; ') || 'none'],
  ])
  return { json, text }
}

/** null where it is not known. */
function lagMs(leader: Replica, slowest: Replica): number | null {
  if (leader === slowest) return 0
  if (leader.lastCaughtUpTimestamp < 0 || slowest.lastCaughtUpTimestamp < 0) return null
  return leader.lastCaughtUpTimestamp - slowest.lastCaughtUpTimestamp
}

function replication(quorum: Quorum, leader: Replica, humanReadable: boolean, nowMs: number): Result {
  const rowOf = (status: string) => (replica: Replica) => ({
    nodeId: replica.replicaId,
    directoryId: replica.replicaDirectoryId === ZERO_UUID ? null : replica.replicaDirectoryId,
    logEndOffset: replica.logEndOffset,
    lag: leader.logEndOffset - replica.logEndOffset,
    lastFetchTimestampMs: replica.lastFetchTimestamp < 0 ? null : replica.lastFetchTimestamp,
    lastCaughtUpTimestampMs: replica.lastCaughtUpTimestamp < 0 ? null : replica.lastCaughtUpTimestamp,
    status,
  })
  const followers = quorum.currentVoters.filter((voter) => voter !== leader)
  const replicas = [
    rowOf('Leader')(leader),
    ...followers.map(rowOf('Follower')),
    ...quorum.observers.map(rowOf('Observer')),
  ]
  const when = (timeMs: number | null) => {
    if (timeMs === null) return ''
    return humanReadable ? `${Math.max(0, nowMs - timeMs)} ms ago` : timeMs
  }
  const rows = replicas.map((replica) => [
    replica.nodeId,
    replica.directoryId ?? '',
    replica.logEndOffset,
    replica.lag,
    when(replica.lastFetchTimestampMs),
    when(replica.lastCaughtUpTimestampMs),
    replica.status,
  ])
  const heading = ['NODE', 'DIRECTORY-ID', 'LOG-END-OFFSET', 'LAG', 'LAST-FETCH', 'LAST-CAUGHT-UP', 'STATUS']
  return { json: { replicas }, text: table(heading, rows) }
}
