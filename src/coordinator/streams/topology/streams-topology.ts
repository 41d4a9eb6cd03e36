import { isDeepStrictEqual } from 'node:util'
import { inHashOrder } from '../../hash-order.ts'
import { brokenTopology } from './topology-error.ts'
import type { StreamsTopology, Subtopology } from './types.ts'

/**
 * By id, in the order in which Apache Kafka walks them.
 * @throws CoordinatorError where two have the same id.
 */
export function subtopologiesOf(topology: StreamsTopology): Map<string, Subtopology> {
  const byId = new Map(topology.subtopologies.map((subtopology) => [subtopology.subtopologyId, subtopology]))
  if (byId.size !== topology.subtopologies.length) throw brokenTopology()
  return new Map(inHashOrder(byId.keys()).map((id) => [id, byId.get(id)!]))
}

/** What tasks of the subtopology read; a name may be there twice. */
export function sourcesOf({ sourceTopics, repartitionSourceTopics }: Subtopology): string[] {
  return [...sourceTopics, ...repartitionSourceTopics.map(({ name }) => name)]
}

/** The topics that the topology is about, whether they exist or not: a change of one of them concerns the group. */
export function requiredTopics(topology: StreamsTopology): Set<string> {
  const names = new Set<string>()
  for (const subtopology of subtopologiesOf(topology).values()) {
    for (const name of sourcesOf(subtopology)) names.add(name)
    for (const { name } of subtopology.stateChangelogTopics) names.add(name)
  }
  return names
}

/** By source topic, the id of the subtopology that reads it. */
export function readersOf(topology: StreamsTopology): Map<string, string> {
  const readers = new Map<string, string>()
  for (const [id, subtopology] of subtopologiesOf(topology)) {
    for (const name of sourcesOf(subtopology)) readers.set(name, id)
  }
  return readers
}

/** Whether they say the same; the order of the subtopologies does not matter, all other order does. */
export function sameTopology(a: StreamsTopology, b: StreamsTopology): boolean {
  if (a === b) return true
  if (a.epoch !== b.epoch || a.subtopologies.length !== b.subtopologies.length) return false
  return isDeepStrictEqual(subtopologiesOf(a), subtopologiesOf(b))
}
