const INITIAL_CAPACITY = 16
const LOAD_FACTOR = 0.75

interface Table {
  readonly hashOf?: (key: string) => number
  /** The largest number of entries that there ever were, where it was larger than now. */
  readonly entryCount?: number
  /** What the table was made with: a power of two. */
  readonly capacity?: number
}

/**
 * The keys, which are distinct, in the order in which a Java HashMap holds them that they were put into one after the
 * other (unless very many share a bucket). Where Apache Kafka takes the first of several that are as good, it takes them
 * from such a table; in the same order the same one is chosen here.
 */
export function inHashOrder(keys: Iterable<string>, table: Table = {}): string[] {
  const { hashOf = stringHash, entryCount = 0, capacity: made = INITIAL_CAPACITY } = table
  const list = [...keys]
  if (list.length < 2) return list
  let capacity = made
  while (Math.max(entryCount, list.length) > Math.floor(capacity * LOAD_FACTOR)) capacity *= 2
  const bucketOf = (key: string) => {
    const hash = hashOf(key)
    return (hash ^ (hash >>> 16)) & (capacity - 1)
  }
  const buckets = new Map(list.map((key) => [key, bucketOf(key)]))
  return list.sort((a, b) => buckets.get(a)! - buckets.get(b)!)
}

/** As `inHashOrder`, for ids of topics. */
export function topicIdsInHashOrder(topicIds: Iterable<string>): string[] {
  return inHashOrder(topicIds, { hashOf: uuidHash })
}

function stringHash(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash
}

function uuidHash(uuid: string): number {
  const bytes = Buffer.from(uuid, 'base64url')
  return bytes.readInt32BE(0) ^ bytes.readInt32BE(4) ^ bytes.readInt32BE(8) ^ bytes.readInt32BE(12)
}
