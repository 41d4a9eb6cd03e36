/**
 * How to take back the changes that are not committed yet. State that replay changes is kept in `UndoMap`s, which note a
 * step here for every change; when an append fails, the steps are run from the newest back.
 */
export class UndoLog {
  #steps: (() => void)[] = []
  #base = 0
  /** False while a shard is loaded: what is read from the log is committed, and needs no way back. */
  recording = true

  /** Grows with every change; a place to go back to. */
  get position(): number {
    return this.#base + this.#steps.length
  }

  push(step: () => void): void {
    if (this.recording) this.#steps.push(step)
  }

  /** Takes back everything that was changed after `position`. */
  rollBackTo(position: number): void {
    while (this.#steps.length > 0 && this.position > position) this.#steps.pop()!()
  }

  /** What was changed before `position` is committed. */
  forgetBefore(position: number): void {
    const count = Math.max(0, position - this.#base)
    this.#steps.splice(0, count)
    this.#base += count
  }
}

/** For state that nothing depends on yet: there is no way back. */
export function unrecorded(): UndoLog {
  const undo = new UndoLog()
  undo.recording = false
  return undo
}

/** A Map whose changes can be taken back. */
export class UndoMap<K, V> {
  readonly #map = new Map<K, V>()
  readonly #undo: UndoLog

  constructor(undo: UndoLog) {
    this.#undo = undo
  }

  get size(): number {
    return this.#map.size
  }

  get(key: K): V | undefined {
    return this.#map.get(key)
  }

  has(key: K): boolean {
    return this.#map.has(key)
  }

  /** Answers the value that was there before. */
  set(key: K, value: V): V | undefined {
    const map = this.#map
    const old = map.get(key)
    if (this.#undo.recording) {
      const existed = old !== undefined || map.has(key)
      this.#undo.push(existed ? () => map.set(key, old as V) : () => map.delete(key))
    }
    map.set(key, value)
    return old
  }

  /** Answers the value that was there. */
  delete(key: K): V | undefined {
    const map = this.#map
    const old = map.get(key)
    if (map.delete(key)) this.#undo.push(() => map.set(key, old as V))
    return old
  }

  keys(): MapIterator<K> {
    return this.#map.keys()
  }

  values(): MapIterator<V> {
    return this.#map.values()
  }

  entries(): MapIterator<[K, V]> {
    return this.#map.entries()
  }
}

/** A value whose changes can be taken back. */
export class UndoValue<V> {
  #value: V
  readonly #undo: UndoLog

  constructor(undo: UndoLog, value: V) {
    this.#undo = undo
    this.#value = value
  }

  get(): V {
    return this.#value
  }

  set(value: V): void {
    const old = this.#value
    if (old === value) return
    this.#value = value
    this.#undo.push(() => {
      this.#value = old
    })
  }
}
