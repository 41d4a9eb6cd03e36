interface PartitionAnswer {
  readonly partitionIndex: number
  readonly errorCode: number
}

/** Collects a result per partition, each topic once, where some partitions are refused early and others later. */
export class PartitionAnswers<T extends object> {
  readonly topics: (T & { partitions: PartitionAnswer[] })[] = []
  readonly #byKey = new Map<string, { partitions: PartitionAnswer[] }>()
  readonly #keyOf: (topic: T) => string

  /** `keyOf`: what makes two topics the same, its name or its id. */
  constructor(keyOf: (topic: T) => string) {
    this.#keyOf = keyOf
  }

  add(topic: T, answer: PartitionAnswer): void {
    const key = this.#keyOf(topic)
    const known = this.#byKey.get(key)
    if (known !== undefined) {
      known.partitions.push(answer)
      return
    }
    const fresh = { ...topic, partitions: [answer] }
    this.#byKey.set(key, fresh)
    this.topics.push(fresh)
  }
}
