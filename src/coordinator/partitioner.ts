const INT_MIN = -(2 ** 31)

/** Java's String.hashCode: over UTF-16 units, wrapping in 32 bits. */
export function javaHashCode(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}

/** The partition of an internal topic that coordinates `key`: a group id, a transactional id or a share partition. */
export function partitionFor(key: string, partitionCount: number): number {
  const hash = javaHashCode(key)
  // As Kafka: the one number without a positive counterpart counts as 0.
  return hash === INT_MIN ? 0 : Math.abs(hash) % partitionCount
}
