/** How to take a change of a file back. */
interface Change {
  readonly positionBytes: number
  readonly sizeBefore: number
  /** What was there before, of what the change replaced or cut off. */
  readonly replaced: Buffer
  /** Bytes written; 0 for a change of size. */
  readonly writtenBytes: number
}

const NOTHING: Buffer = Buffer.alloc(0)

/** The content of a file in memory, which knows what of it has not been synced. */
export class MemoryInode {
  sizeBytes = 0
  #bytes = NOTHING
  /** Changes that were ever made. */
  changes = 0
  /** Not synced yet, oldest first. */
  #unsynced: Change[] = []

  get unsyncedChanges(): number {
    return this.#unsynced.length
  }

  content(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.sizeBytes))
  }

  read(target: Buffer, positionBytes: number): number {
    return this.#bytes.copy(target, 0, positionBytes, Math.max(positionBytes, this.sizeBytes))
  }

  write(chunks: readonly Buffer[], positionBytes: number): void {
    const sizeBefore = this.sizeBytes
    const writtenBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    const end = positionBytes + writtenBytes
    const replaced = positionBytes < sizeBefore ? this.#copyOf(positionBytes, Math.min(end, sizeBefore)) : NOTHING
    this.#resize(Math.max(end, sizeBefore))
    for (let at = positionBytes, index = 0; index < chunks.length; index++) at += chunks[index]!.copy(this.#bytes, at)
    this.#note({ positionBytes, sizeBefore, replaced, writtenBytes })
  }

  /** Cuts, or extends with zeros. */
  truncate(sizeBytes: number): void {
    const sizeBefore = this.sizeBytes
    const replaced = sizeBytes < sizeBefore ? this.#copyOf(sizeBytes, sizeBefore) : NOTHING
    this.#resize(sizeBytes)
    this.#note({ positionBytes: sizeBytes, sizeBefore, replaced, writtenBytes: 0 })
  }

  #note(change: Change): void {
    this.#unsynced.push(change)
    this.changes++
  }

  #copyOf(from: number, to: number): Buffer {
    return Buffer.from(this.#bytes.subarray(from, to))
  }

  #resize(sizeBytes: number): void {
    if (sizeBytes > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(256, sizeBytes * 2))
      this.#bytes.copy(grown, 0, 0, this.sizeBytes)
      this.#bytes = grown
    } else if (sizeBytes > this.sizeBytes) this.#bytes.fill(0, this.sizeBytes, sizeBytes)
    this.sizeBytes = sizeBytes
  }

  /** The first `changes` that were ever made are on stable storage; all of them where it is left out. */
  settle(changes = this.changes): void {
    const oldest = this.changes - this.#unsynced.length
    if (changes >= this.changes) this.#unsynced = []
    else if (changes > oldest) this.#unsynced = this.#unsynced.slice(changes - oldest)
  }

  /** Takes back what was not synced but for the first `kept` changes; a fraction is a part of the next one, if a write. */
  undo(kept: number): void {
    const whole = Math.floor(kept)
    let torn = NOTHING
    let tornAt = 0
    while (this.#unsynced.length > whole) {
      const { positionBytes, sizeBefore, replaced, writtenBytes } = this.#unsynced.pop()!
      this.changes--
      if (this.#unsynced.length === whole) {
        const end = positionBytes + Math.floor(writtenBytes * (kept - whole))
        torn = this.#copyOf(positionBytes, end)
        tornAt = positionBytes
      }
      this.#resize(sizeBefore)
      replaced.copy(this.#bytes, positionBytes)
    }
    if (torn.length > 0) this.write([torn], tornAt)
  }

  copy(): MemoryInode {
    const copy = new MemoryInode()
    copy.#bytes = this.content()
    copy.sizeBytes = this.sizeBytes
    copy.changes = this.changes
    copy.#unsynced = [...this.#unsynced]
    return copy
  }
}
