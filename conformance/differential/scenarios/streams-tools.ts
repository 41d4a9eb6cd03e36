import type { Body, Probe } from '../probe.ts'
import { makeTopic } from '../scenario.ts'

const GROUP = 32
const SET = 0
/** MISSING_SOURCE_TOPICS */
const MISSING = 1
/** No group is configured like that but to be recognised. */
const MARKER_INTERVAL_MS = 7654

/** A thread of an application, as the broker has it. */
export interface Thread {
  readonly groupId: string
  readonly memberId: string
  readonly processId: string
  memberEpoch: number
  endpointEpoch: number
  active: Body[]
  standby: Body[]
}

export function newThread(groupId: string, memberId: string, processId = `process of ${memberId}`): Thread {
  return { groupId, memberId, processId, memberEpoch: 0, endpointEpoch: -1, active: [], standby: [] }
}

export function subtopology(subtopologyId: string, sourceTopics: string[], more: Body = {}): Body {
  return {
    subtopologyId,
    sourceTopics,
    sourceTopicRegex: [],
    stateChangelogTopics: [],
    repartitionSinkTopics: [],
    repartitionSourceTopics: [],
    copartitionGroups: [],
    ...more,
  }
}

export function internal(name: string, more: Body = {}): Body {
  return { name, partitions: 0, replicationFactor: 0, topicConfigs: [], ...more }
}

/** Repartitions by word, then counts: what a word count comes to. */
export function wordCount(source: string): Body {
  const [repartition, changelog] = [`${source}-counts-repartition`, `${source}-counts-changelog`]
  const compacted = internal(changelog, { topicConfigs: [{ key: 'cleanup.policy', value: 'compact' }] })
  return topology([
    subtopology('0', [source], { repartitionSinkTopics: [repartition] }),
    subtopology('1', [], {
      repartitionSourceTopics: [internal(repartition)],
      stateChangelogTopics: [compacted],
      copartitionGroups: [{ sourceTopics: [], sourceTopicRegex: [], repartitionSourceTopics: [0] }],
    }),
  ])
}

/** Reads a topic and keeps nothing. */
export function stateless(source: string): Body {
  return topology([subtopology('0', [source])])
}

/** Reads a topic into a store, whose changelog is there already. */
export function stateful(source: string): Body {
  return topology([subtopology('0', [source], { stateChangelogTopics: [internal(`${source}-changelog`)] })])
}

export function topology(subtopologies: Body[], epoch = 0): Body {
  return { epoch, subtopologies }
}

/** A heartbeat that says all that the thread has. */
export async function beat(probe: Probe, thread: Thread, more: Body = {}, note?: string): Promise<Body> {
  const { groupId, memberId, memberEpoch, endpointEpoch: endpointInformationEpoch, active, standby } = thread
  const owned = { activeTasks: active, standbyTasks: standby, warmupTasks: [] }
  const body = { groupId, memberId, memberEpoch, endpointInformationEpoch, ...owned, ...more }
  const response = await probe.send('StreamsGroupHeartbeat', 0, body, note)
  if (response.errorCode !== 0) return response
  thread.memberEpoch = response.memberEpoch
  thread.endpointEpoch = response.endpointInformationEpoch
  if (response.activeTasks !== null) thread.active = response.activeTasks
  if (response.standbyTasks !== null) thread.standby = response.standbyTasks
  return response
}

export const SILENT = { activeTasks: null, standbyTasks: null, warmupTasks: null }

export function joinBody(thread: Thread, joined: Body | null, more: Body = {}): Body {
  const none = { activeTasks: [], standbyTasks: [], warmupTasks: [] }
  return { memberEpoch: 0, rebalanceTimeoutMs: 30_000, topology: joined, processId: thread.processId, ...none, ...more }
}

export function join(probe: Probe, thread: Thread, joined: Body, more: Body = {}, note?: string): Promise<Body> {
  return beat(probe, thread, joinBody(thread, joined, more), note)
}

export function leave(probe: Probe, thread: Thread, more: Body = {}): Promise<Body> {
  return beat(probe, thread, { ...SILENT, memberEpoch: -1, ...more }, 'leaves')
}

/**
 * Makes a topic, and waits until the coordinators of the groups have heard of it: in Apache Kafka a little after its leader
 * has. The groups are not there yet, and not afterwards.
 */
export async function topicFor(probe: Probe, name: string, partitions: number, groups = [name]): Promise<void> {
  await makeTopic(probe, name, { partitions })
  for (const groupId of groups) {
    await scouted(probe, groupId, name, ({ status }) => status.every(({ statusCode }: Body) => statusCode !== MISSING))
  }
}

/** A member that is gone again afterwards, and its group with it, asks until it is answered as it should be. */
async function scouted(probe: Probe, groupId: string, source: string, is: (response: Body) => boolean): Promise<void> {
  const scout = newThread(groupId, 'scout')
  const { groupId: _, memberId, endpointEpoch: endpointInformationEpoch } = scout
  const who = { groupId, memberId, endpointInformationEpoch }
  const ask = (body: Body) => probe.quietly('StreamsGroupHeartbeat', 0, { ...who, ...body })
  for (let attempt = 0; ; attempt++) {
    const response = await ask(joinBody(scout, stateless(source)))
    if (response.errorCode === 0 && is(response)) break
    if (attempt > 1000) throw new Error(`${groupId}: ${JSON.stringify(response)}`)
    await pause()
  }
  await ask({ memberEpoch: -1 })
  await probe.quietly('DeleteGroups', 2, { groupsNames: [groupId] })
}

/** Heartbeats until one is answered as it should be, which is the one that is compared; those before change nothing. */
export async function beatUntil(
  probe: Probe,
  thread: Thread,
  note: string,
  is: (response: Body) => boolean,
): Promise<Body> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const response = await beat(probe, thread, {}, note)
    if (is(response)) return response
    probe.transcript.pop()
    await pause()
  }
  throw new Error(`${thread.groupId}: ${note}: it does not come to that`)
}

export const isMissing = ({ status }: Body) => status.some(({ statusCode }: Body) => statusCode === MISSING)
export const isReady = ({ status }: Body) => status.length === 0

/** Until the broker has made the topics, which nobody waits for. */
export async function untilThere(probe: Probe, names: readonly string[]): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const topics = names.map((name) => ({ name }))
    const found = await probe.quietly('Metadata', 9, { topics, allowAutoTopicCreation: false })
    if (found.topics.every(({ errorCode, partitions }: Body) => errorCode === 0 && partitions.length > 0)) return
    await pause()
  }
  throw new Error(`the broker has not made ${names.join(', ')}`)
}

/** Until the member is told that its topics could not be made. */
export async function untilFailed(probe: Probe, { groupId, memberId, memberEpoch }: Thread): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const body = { groupId, memberId, memberEpoch, endpointInformationEpoch: 0 }
    const { status } = await probe.quietly('StreamsGroupHeartbeat', 0, body)
    if (status.some(({ statusDetail }: Body) => statusDetail.includes('Creation failed'))) return
    await pause()
  }
  throw new Error(`${groupId} is not told why it has no topics`)
}

/** With the members in the order of their ids. */
export async function describeGroup(probe: Probe, groupId: string, note?: string): Promise<Body> {
  const described = await probe.send('StreamsGroupDescribe', 0, { groupIds: [groupId] }, note)
  for (const { members } of described.groups) {
    members.sort((a: Body, b: Body) => (a.memberId < b.memberId ? -1 : 1))
  }
  return described
}

/** Waits until the group is as it should be. */
export async function untilGroup(probe: Probe, groupId: string, is: (group: Body) => boolean): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const { groups } = await probe.quietly('StreamsGroupDescribe', 0, { groupIds: [groupId] })
    if (is(groups[0])) return
    await pause()
  }
  throw new Error(`group ${groupId} has not come to what it should be`)
}

/** A marker is told apart from those before it; both brokers are asked for the same ones. */
const markers = new WeakMap<Probe, number>()

/** Returns when the values are in force, as another group's are that was configured after it. */
export async function configureGroup(probe: Probe, name: string, values: Record<string, string>): Promise<void> {
  const count = (markers.get(probe) ?? 0) + 1
  markers.set(probe, count)
  const marker = `${name}-marker-${count}`
  await setConfigs(probe, name, values)
  await setConfigs(probe, marker, { 'streams.heartbeat.interval.ms': String(MARKER_INTERVAL_MS) })
  await scouted(probe, marker, marker, ({ heartbeatIntervalMs }) => heartbeatIntervalMs === MARKER_INTERVAL_MS)
}

async function setConfigs(probe: Probe, name: string, values: Record<string, string>): Promise<void> {
  const configs = Object.entries(values).map(([key, value]) => ({ name: key, configOperation: SET, value }))
  const resources = [{ resourceType: GROUP, resourceName: name, configs }]
  const { responses } = await probe.quietly('IncrementalAlterConfigs', 1, { resources })
  if (responses[0].errorCode !== 0) throw new Error(`group ${name}: ${responses[0].errorMessage}`)
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20))
}
