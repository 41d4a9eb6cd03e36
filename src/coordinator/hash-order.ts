const INITIAL_CAPACITY = 16
const LOAD_FACTOR = 0.75

/**
 * The keys in the order in which a Java HashMap holds them (unless very many share a bucket). Where Apache Kafka takes the
 * first of several that are as good, it takes them from such a table; in the same order the same one is chosen here.
 */
export function inHashOrder(keys: Iterable<string>, hashOf: (key: string) => number = stringHash): string[] {
  const list = [...keys]
  if (list.length < 2) return list
  let capacity = INITIAL_CAPACITY
  while (list.length > capacity * LOAD_FACTOR) capacity *= 2
  const bucketOf = (key: string) => {
    const hash = hashOf(key)
    return (hash ^ (hash >>> 16)) & (capacity - 1)
  }
  const buckets = new Map(list.map((key) => [key, bucketOf(key)]))
  return list.sort((a, b) => buckets.get(a)! - buckets.get(b)!)
}

/** As `inHashOrder`, for ids of topics. */
export function topicIdsInHashOrder(topicIds: Iterable<string>): string[] {
  return inHashOrder(topicIds, uuidHash)
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
