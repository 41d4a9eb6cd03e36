import { BatchView, batchSizeAt } from '../../src/protocol/records/batch.ts'
import type { Exchange } from './probe.ts'

/** What one broker may answer differently from the other, with the reason. `path` matches `Api.field.field`. */
export interface AllowedDifference {
  readonly path: RegExp
  readonly reason: string
}

/** Values that no two brokers share: replaced by a word that says what they are, if they look like it at all. */
const VOLATILE: ReadonlyArray<readonly [RegExp, (value: unknown) => unknown]> = [
  [/\.throttleTimeMs$/, (value) => (Number(value) >= 0 ? '<throttle>' : value)],
  [/\.logAppendTimeMs$/, (value) => (Number(value) > 0 ? '<time>' : value)],
  [/\.sessionId$/, (value) => (Number(value) > 0 ? '<session>' : value)],
  [/\.(totalBytes|usableBytes)$/, (value) => (Number(value) > 0 ? '<bytes>' : value)],
  [/\.(lastFetchTimestamp|lastCaughtUpTimestamp|lastTimestamp)$/, (value) => (Number(value) > 0 ? '<time>' : value)],
  [/^ApiVersions\.finalizedFeaturesEpoch$/, (value) => (Number(value) >= 0 ? '<offset>' : value)],
  [/^DescribeQuorum\..*\.(highWatermark|logEndOffset)$/, (value) => (Number(value) > 0 ? '<offset>' : value)],
  // Of a partition whose brokers are invented: elected anew whenever Apache Kafka's controller begins anew.
  [/^(Metadata|DescribeTopicPartitions)\..*\.leaderEpoch$/, (value) => (Number(value) > 9 ? '<often elected>' : value)],
  [/^DescribeQuorum\..*\.leaderEpoch$/, (value) => (Number(value) > 0 ? '<epoch>' : value)],
  [/^DescribeQuorum\..*\.replicaDirectoryId$/, (value) => (String(value).length === 22 ? '<directory id>' : value)],
]

/** What an entry of a list goes by. Apache Kafka takes most lists from hash tables: their order means nothing. */
const IDENTITY = [
  'name',
  'topic',
  'topicName',
  'topicId',
  'groupId',
  'resourceName',
  'resourceType',
  'memberId',
  'apiKey',
  'nodeId',
  'partitionIndex',
  'partition',
  'index',
  'key',
] as const
/** Lists whose order is part of the answer. */
const ORDERED = [/^DescribeTopicPartitions\./, /\.(synonyms|replicaNodes|isrNodes|recordErrors|members)$/]

function identityOf(item: Comparable): string {
  if (!isRecord(item)) return ''
  return JSON.stringify([IDENTITY.map((field) => item[field] ?? null), item])
}

function byIdentity(a: Comparable, b: Comparable): number {
  return identityOf(a) < identityOf(b) ? -1 : 1
}

type Comparable = string | number | boolean | null | Comparable[] | { [name: string]: Comparable }

/** The exchange with everything volatile replaced, ready to be compared field by field. */
export function comparable(exchange: Exchange, symbols: ReadonlyMap<string | number, string>): Comparable {
  return {
    api: exchange.api,
    version: exchange.version,
    response: normal(exchange.response, exchange.api, symbols),
  }
}

/** Leaves out of all lists what belongs to these stories, whose names its own name begins with. */
export function withoutThoseOf(stories: readonly string[], value: Comparable): Comparable {
  if (stories.length === 0) return value
  if (Array.isArray(value)) {
    const left = value.filter((item) => !namesOf(item).some((name) => stories.some((story) => isOf(story, name))))
    return left.map((item) => withoutThoseOf(stories, item))
  }
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, withoutThoseOf(stories, inner)]))
}

function namesOf(item: Comparable): string[] {
  const names = isRecord(item) ? IDENTITY.map((field) => item[field]) : [item]
  return names.filter((name) => typeof name === 'string')
}

/** A story that is told again has the same name with a word behind it, the next version another digit. */
function isOf(story: string, name: string): boolean {
  const own = name.startsWith('<id of ') ? name.slice('<id of '.length) : name
  return own.startsWith(story) && !/^(\d|again)/.test(own.slice(story.length))
}

function normal(value: unknown, path: string, symbols: ReadonlyMap<string | number, string>): Comparable {
  for (const [pattern, replace] of VOLATILE) {
    if (pattern.test(path)) return plain(replace(value), path, symbols)
  }
  return plain(value, path, symbols)
}

function plain(value: unknown, path: string, symbols: ReadonlyMap<string | number, string>): Comparable {
  if (value === null || value === undefined) return null
  if (typeof value === 'boolean') return value
  if (typeof value === 'bigint') return String(value)
  // A producer id may be as small as any count; numbers are known by their field.
  if (typeof value === 'number')
    return /(producerId|producerIdStart|brokerEpoch|leaderEpoch|port)$/i.test(path)
      ? (symbols.get(value) ?? value)
      : value
  if (typeof value === 'string') return withSymbols(value, symbols)
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (Array.isArray(value)) {
    if (value.some((item) => Buffer.isBuffer(item))) return describeRecords(Buffer.concat(value), path, symbols)
    const items = value.map((item) => normal(item, path, symbols))
    return items.some(isRecord) && !ORDERED.some((pattern) => pattern.test(path)) ? items.sort(byIdentity) : items
  }
  const fields = Object.entries(value as object)
  return Object.fromEntries(fields.map(([name, field]) => [name, normal(field, `${path}.${name}`, symbols)]))
}

function withSymbols(text: string, symbols: ReadonlyMap<string | number, string>): string {
  const exact = symbols.get(text)
  if (exact) return exact
  let result = text
  for (const [value, symbol] of symbols) {
    if (typeof value === 'string' && value.length > 3) result = result.replaceAll(value, symbol)
    else if (typeof value === 'number' && value > 9999) {
      result = result.replaceAll(new RegExp(`(?<!\\d)${value}(?!\\d)`, 'g'), symbol)
    }
  }
  return result
}

/** Batches by their header fields and bytes, without the producer id and append times that the broker chose. */
function describeRecords(bytes: Buffer, path: string, symbols: ReadonlyMap<string | number, string>): Comparable {
  const batches: Comparable[] = []
  for (let position = 0; position < bytes.length; ) {
    const sizeBytes = batchSizeAt(bytes, position, bytes.length)
    if (sizeBytes === 0) break
    const view = new BatchView(bytes, position)
    batches.push({
      baseOffset: view.baseOffset,
      sizeBytes,
      magic: view.magic,
      attributes: view.attributes,
      partitionLeaderEpoch: view.partitionLeaderEpoch,
      producerId: plain(view.producerId, `${path}.producerId`, symbols),
      producerEpoch: view.producerEpoch,
      baseSequence: view.baseSequence,
      recordCount: view.recordCount,
      body: bytes.toString('hex', position + 61, position + sizeBytes),
    })
    position += sizeBytes
  }
  return batches
}

/** The paths at which the two differ, with both values; empty where they are equal. */
export function differences(ottla: Comparable, oracle: Comparable, path: string): string[] {
  if (Object.is(ottla, oracle)) return []
  if (Array.isArray(ottla) && Array.isArray(oracle)) {
    if (ottla.length !== oracle.length) return [differ(path, ottla, oracle)]
    return ottla.flatMap((item, index) => differences(item, oracle[index]!, `${path}[${index}]`))
  }
  if (isRecord(ottla) && isRecord(oracle)) {
    const names = new Set([...Object.keys(ottla), ...Object.keys(oracle)])
    return [...names].flatMap((name) => differences(ottla[name] ?? null, oracle[name] ?? null, `${path}.${name}`))
  }
  return [differ(path, ottla, oracle)]
}

function isRecord(value: Comparable): value is { [name: string]: Comparable } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function differ(path: string, ottla: Comparable, oracle: Comparable): string {
  return `${path}: Ottla ${JSON.stringify(ottla)}, Apache Kafka ${JSON.stringify(oracle)}`
}
