import { isSameReplica, matchesReplica, type Peer, type ReplicaKey, type VoterNode } from './types.ts'

/** The nodes whose majority decides. Never changed: each change makes another. */
export class VoterSet {
  readonly #byId: ReadonlyMap<number, VoterNode>

  constructor(nodes: Iterable<VoterNode>) {
    this.#byId = new Map([...nodes].sort((a, b) => a.id - b.id).map((node) => [node.id, node]))
  }

  get size(): number {
    return this.#byId.size
  }

  /** Ascending by id. */
  get nodes(): VoterNode[] {
    return [...this.#byId.values()]
  }

  get ids(): number[] {
    return [...this.#byId.keys()]
  }

  get(id: number): VoterNode | undefined {
    return this.#byId.get(id)
  }

  /** A voter whose directory nobody knows is recognised by its id. */
  has(key: ReplicaKey): boolean {
    const node = this.#byId.get(key.id)
    return node !== undefined && matchesReplica(node, key)
  }

  isOnly(key: ReplicaKey): boolean {
    return this.size === 1 && this.has(key)
  }

  /** Where a voter is reached; undefined for one that has no such listener. */
  peer(id: number, listenerName: string): Peer | undefined {
    const endpoint = this.#byId.get(id)?.endpoints.find(({ name }) => name === listenerName)
    return endpoint && { id, host: endpoint.host, port: endpoint.port }
  }

  /** undefined where the id is there already. */
  with(node: VoterNode): VoterSet | undefined {
    return this.#byId.has(node.id) ? undefined : new VoterSet([...this.nodes, node])
  }

  /** undefined where that replica is no voter, or the last one. */
  without(key: ReplicaKey): VoterSet | undefined {
    const node = this.#byId.get(key.id)
    if (node === undefined || !isSameReplica(node, key) || this.size === 1) return undefined
    return new VoterSet(this.nodes.filter(({ id }) => id !== key.id))
  }

  /** With what is said of the same replica (with `byId`, of the same node) replaced; undefined where it is no voter. */
  updated(node: VoterNode, byId = false): VoterSet | undefined {
    const known = this.#byId.get(node.id)
    if (known === undefined || !(byId || matchesReplica(known, node))) return undefined
    return new VoterSet([...this.nodes.filter(({ id }) => id !== node.id), node])
  }

  /** Whether `node` is a voter of which the set says something else. */
  isOutdated(node: VoterNode): boolean {
    const known = this.#byId.get(node.id)
    return known !== undefined && matchesReplica(known, node) && describe(known) !== describe(node)
  }

  toString(): string {
    return this.ids.join(', ')
  }
}

function describe({ id, directoryId, endpoints, kraftVersions }: VoterNode): string {
  const places = endpoints.map(({ name, host, port }) => `${name} ${host} ${port}`).sort()
  return JSON.stringify([id, directoryId, places, kraftVersions.min, kraftVersions.max])
}

interface Entry<T> {
  readonly offset: number
  readonly value: T
}

/**
 * Voters and kraft.version as the log's control records name them. They count from the moment they are in the log,
 * committed or not, and no longer when they are cut off again (Raft, section 6).
 */
export class VoterHistory {
  readonly #initial: VoterSet
  #voters: readonly Entry<VoterSet>[] = []
  #versions: readonly Entry<number>[] = []

  /** `initial`: those of controller.quorum.voters, which count until the log names some. */
  constructor(initial: VoterSet) {
    this.#initial = initial
  }

  get voters(): VoterSet {
    return this.#voters.at(-1)?.value ?? this.#initial
  }

  /** Where the voters that count were named: undefined where the log names none, -1 in a snapshot at offset 0. */
  get votersOffset(): number | undefined {
    return this.#voters.at(-1)?.offset
  }

  /** 0: voters are fixed. */
  get kraftVersion(): number {
    return this.#versions.at(-1)?.value ?? 0
  }

  /** Those before the ones that count. */
  get previousVoters(): VoterSet {
    return this.#voters.at(-2)?.value ?? this.#initial
  }

  /** As they were once everything up to `offset` was in the log. */
  votersAt(offset: number): VoterSet {
    return this.#voters.findLast((entry) => entry.offset <= offset)?.value ?? this.#initial
  }

  kraftVersionAt(offset: number): number {
    return this.#versions.findLast((entry) => entry.offset <= offset)?.value ?? 0
  }

  addVoters(offset: number, voters: VoterSet): void {
    this.#voters = [...this.#voters, { offset, value: voters }]
  }

  addVersion(offset: number, version: number): void {
    this.#versions = [...this.#versions, { offset, value: version }]
  }

  /** The log was cut off: what stood at `offset` and after it never was. */
  truncateFrom(offset: number): void {
    this.#voters = this.#voters.filter((entry) => entry.offset < offset)
    this.#versions = this.#versions.filter((entry) => entry.offset < offset)
  }

  /** A snapshot takes the place of the log. */
  clear(): void {
    this.#voters = []
    this.#versions = []
  }

  /** Nobody will ask for what counted before `offset`. */
  forgetBefore(offset: number): void {
    this.#voters = since(this.#voters, offset)
    this.#versions = since(this.#versions, offset)
  }
}

function since<T>(entries: readonly Entry<T>[], offset: number): readonly Entry<T>[] {
  const first = entries.findLastIndex((entry) => entry.offset < offset)
  return first <= 0 ? entries : entries.slice(first)
}
