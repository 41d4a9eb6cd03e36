import type { DiskFile } from '../platform/disk.ts'
import { LOG_SUFFIX, offsetOfName, offsetPath, replaceUnsynced, SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX } from './files.ts'
import type { LogState } from './log-state.ts'
import type { Segment } from './segment.ts'

const INDEX_SUFFIXES = SEGMENT_SUFFIXES.filter((suffix) => suffix !== LOG_SUFFIX)
const TOPIC_ID_FILE = 'partition.metadata'
const OTHER_FILES: readonly string[] = ['leader-epoch-checkpoint', TOPIC_ID_FILE]
const CHUNK_BYTES = 1024 * 1024
/** What is left is copied at once when it is no more than this: nothing may be appended meanwhile. */
const LAST_BYTES = 1024 * 1024

/** How long until it is looked again whether more may be copied. */
const LOOK_AGAIN_MS = 100

/** How fast copies may be made, all together. */
export interface CopyPace {
  /** Whether nothing more is to be copied for now. */
  isExceeded(): boolean
  record(sizeBytes: number): void
}

export interface LogCopyOptions {
  /** Made if missing. What a copy that was interrupted left in it, is kept as far as it is right. */
  readonly directory: string
  /** Asked after every pause; false ends the work. */
  readonly mayGoOn: () => boolean
  /** Whether no append is under way. */
  readonly isIdle: () => boolean
  /** Resolves when none is, but that may be over by the time that it is heard of. */
  readonly whenIdle: () => Promise<void>
  /** Called once everything is there, before anything else can be appended. */
  readonly onComplete: () => void
  /** [As fast as can be] */
  readonly pace?: CopyPace | undefined
}

/** How much of a segment is in the copy, and how often batches of it had been cut off by then. */
interface Copied {
  readonly bytes: number
  readonly cuts: number
}

/**
 * Copies a log into another directory while it is appended to, cleaned, truncated and cut short at its start; in the end the
 * copy has every file and is on stable storage.
 */
export class LogCopy {
  readonly #state: LogState
  readonly #options: LogCopyOptions
  readonly #copied = new Map<Segment, Copied>()
  /** Segments that rest, and whose indexes are in the copy. */
  readonly #indexed = new Set<Segment>()
  readonly #chunk = Buffer.allocUnsafe(CHUNK_BYTES)

  constructor(state: LogState, options: LogCopyOptions) {
    this.#state = state
    this.#options = options
  }

  get sizeBytes(): number {
    let sizeBytes = 0
    for (const { bytes } of this.#copied.values()) sizeBytes += bytes
    return sizeBytes
  }

  /** The offset up to which there surely is a copy. */
  get copiedTo(): number {
    const { segments, logEndOffset } = this.#state
    return segments.all.find((segment) => this.#missing(segment) > 0)?.baseOffset ?? logEndOffset
  }

  /** Answers whether the copy was completed. Rejects with what the disks throw. */
  async run(): Promise<boolean> {
    const { mayGoOn, isIdle, whenIdle, onComplete } = this.#options
    await this.#takeUp()
    while (mayGoOn()) {
      this.#dropVanished()
      if (this.#missingBytes() > LAST_BYTES) {
        await this.#copySome()
        continue
      }
      const resting = this.#withoutIndexes()
      if (resting !== undefined) {
        await this.#copyIndexes(resting)
        continue
      }
      await whenIdle()
      if (!mayGoOn()) return false
      if (!isIdle()) continue
      this.#dropVanished()
      if (this.#missingBytes() > LAST_BYTES) continue
      this.#copyRest()
      onComplete()
      return true
    }
    return false
  }

  /** Finds out what is there already. */
  async #takeUp(): Promise<void> {
    const { directory } = this.#options
    const { disk } = this.#state.environment
    disk.makeDirectory(directory)
    const { segments } = this.#state
    for (const { name, isDirectory } of disk.list(directory)) {
      if (isDirectory || name === TOPIC_ID_FILE) continue
      const baseOffset = offsetOfName(name, LOG_SUFFIX)
      const segment = segments.all.find((candidate) => candidate.baseOffset === baseOffset && candidate.sizeBytes > 0)
      if (segment !== undefined) await this.#compare(segment)
      if (!this.#options.mayGoOn()) return
      if (segment === undefined || !segments.all.includes(segment)) disk.remove(`${directory}/${name}`)
    }
    // Apache Kafka refuses to start where it finds a copy of which it does not know the topic.
    if (disk.exists(`${this.#state.directory}/${TOPIC_ID_FILE}`)) this.#copyFile(TOPIC_ID_FILE)
  }

  /** Keeps what a segment's copy has in common with it, byte by byte: both may have been cut, compacted or torn since. */
  async #compare(segment: Segment): Promise<void> {
    const { cuts } = segment
    const target = this.#state.environment.disk.open(this.#pathOf(segment, LOG_SUFFIX), 'create')
    const source = segment.beginRead()
    try {
      const endBytes = Math.min(segment.sizeBytes, target.sizeBytes())
      const original = Buffer.allocUnsafe(CHUNK_BYTES)
      let position = 0
      while (position < endBytes && this.#options.mayGoOn()) {
        const length = Math.min(CHUNK_BYTES, endBytes - position)
        const bytes = await target.read(this.#chunk.subarray(0, length), position)
        await source.read(original.subarray(0, bytes), position)
        if (bytes === 0 || original.compare(this.#chunk, 0, bytes, 0, bytes) !== 0) break
        position += bytes
      }
      target.truncate(position)
      await target.sync()
      this.#copied.set(segment, { bytes: position, cuts })
    } finally {
      segment.endRead()
      target.close()
    }
  }

  #missing(segment: Segment): number {
    return segment.sizeBytes - (this.#copied.get(segment)?.bytes ?? 0)
  }

  #missingBytes(): number {
    let missing = 0
    for (const segment of this.#state.segments.all) missing += this.#missing(segment)
    return missing
  }

  /** Segments that retention or a compaction took away, and those that were cut off. */
  #dropVanished(): void {
    const { segments, environment } = this.#state
    for (const [segment, { cuts }] of [...this.#copied]) {
      if (segments.all.includes(segment) && segment.cuts === cuts) continue
      for (const suffix of SEGMENT_SUFFIXES) environment.disk.remove(this.#pathOf(segment, suffix))
      this.#copied.delete(segment)
      this.#indexed.delete(segment)
    }
  }

  #withoutIndexes(): Segment | undefined {
    const { all, active } = this.#state.segments
    return all.find((segment) => segment !== active && this.#missing(segment) === 0 && !this.#indexed.has(segment))
  }

  /** On stable storage too: what is below the recovery point is believed. */
  async #copyIndexes(segment: Segment): Promise<void> {
    const { disk } = this.#state.environment
    this.#indexed.add(segment)
    for (const suffix of INDEX_SUFFIXES) {
      const path = offsetPath(this.#state.directory, segment.baseOffset, suffix)
      if (!disk.exists(path)) continue
      const bytes = disk.readFile(path)
      const target = disk.open(this.#pathOf(segment, suffix), 'create')
      try {
        target.truncate(0)
        await target.write([bytes], 0)
        await target.sync()
      } finally {
        target.close()
      }
    }
  }

  #pathOf({ baseOffset }: Segment, suffix: string): string {
    return offsetPath(this.#options.directory, baseOffset, suffix)
  }

  /** The first segment that is not all there, as far as it was written when this began. */
  async #copySome(): Promise<void> {
    const { segments, environment } = this.#state
    const segment = segments.all.find((candidate) => this.#missing(candidate) > 0)!
    const endBytes = segment.sizeBytes
    const { cuts } = segment
    const target = environment.disk.open(this.#pathOf(segment, LOG_SUFFIX), 'create')
    const source = segment.beginRead()
    try {
      let position = this.#copied.get(segment)?.bytes ?? 0
      if (position === 0) target.truncate(0)
      for (;;) {
        await this.#untilItMay()
        const isThere = segment.cuts === cuts && segments.all.includes(segment)
        if (position >= endBytes || !isThere || !this.#options.mayGoOn()) break
        const bytes = await source.read(this.#chunk.subarray(0, Math.min(CHUNK_BYTES, endBytes - position)), position)
        if (bytes === 0) break
        await target.write([this.#chunk.subarray(0, bytes)], position)
        position += bytes
        this.#options.pace?.record(bytes)
        this.#copied.set(segment, { bytes: position, cuts })
      }
      await target.sync()
    } finally {
      segment.endRead()
      target.close()
    }
  }

  async #untilItMay(): Promise<void> {
    const { pace, mayGoOn } = this.#options
    const { time } = this.#state.environment
    while (pace?.isExceeded() && mayGoOn()) await new Promise<void>((resolve) => time.after(LOOK_AGAIN_MS, resolve))
  }

  /** Nothing else happens while this runs. */
  #copyRest(): void {
    const state = this.#state
    const { disk } = state.environment
    for (const segment of state.segments.all) this.#copyRestOf(segment)
    state.snapshots.write(state.logEndOffset, state.producers.producers)
    state.lastSnapshotOffset = state.logEndOffset
    state.segments.active.finish()
    for (const segment of state.segments.all) if (!this.#indexed.has(segment)) this.#copyIndexesNow(segment)
    for (const { name, isDirectory } of disk.list(state.directory)) {
      if (isDirectory) continue
      if (OTHER_FILES.includes(name)) this.#copyFile(name)
      // One that is torn is noticed, and an older one does.
      if (name.endsWith(SNAPSHOT_SUFFIX)) {
        replaceUnsynced(disk, `${this.#options.directory}/${name}`, disk.readFile(`${state.directory}/${name}`))
      }
    }
    disk.syncDirectory(this.#options.directory)
  }

  #copyIndexesNow(segment: Segment): void {
    const { disk } = this.#state.environment
    for (const suffix of INDEX_SUFFIXES) {
      const path = offsetPath(this.#state.directory, segment.baseOffset, suffix)
      if (disk.exists(path)) disk.replaceFile(this.#pathOf(segment, suffix), disk.readFile(path))
    }
  }

  #copyFile(name: string): void {
    const { environment, directory } = this.#state
    environment.disk.replaceFile(
      `${this.#options.directory}/${name}`,
      environment.disk.readFile(`${directory}/${name}`),
    )
  }

  #copyRestOf(segment: Segment): void {
    const { disk } = this.#state.environment
    const missing = this.#missing(segment)
    // A segment that was never written to may have no file, or be an empty one that says where the log goes on.
    if (missing === 0 && (this.#copied.has(segment) || !disk.exists(segment.path))) return
    const target = disk.open(this.#pathOf(segment, LOG_SUFFIX), 'create')
    try {
      const position = this.#copied.get(segment)?.bytes ?? 0
      if (position === 0) target.truncate(0)
      if (missing > 0) copyNow(segment.file, target, position, segment.sizeBytes, this.#chunk)
      target.syncNow()
    } finally {
      target.close()
    }
    this.#copied.set(segment, { bytes: segment.sizeBytes, cuts: segment.cuts })
  }
}

function copyNow(source: DiskFile, target: DiskFile, fromBytes: number, toBytes: number, chunk: Buffer): void {
  for (let position = fromBytes; position < toBytes; ) {
    const bytes = source.readSync(chunk.subarray(0, Math.min(chunk.length, toBytes - position)), position)
    if (bytes === 0) throw new Error(`${source.path} ends at ${position}, not at ${toBytes}`)
    target.writeSync([chunk.subarray(0, bytes)], position)
    position += bytes
  }
}
