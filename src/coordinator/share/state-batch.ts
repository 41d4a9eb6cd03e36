/** What is known of neighbouring records of a share partition: KIP-932's delivery state and count. Offsets inclusive. */
export interface StateBatch {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly deliveryState: number
  readonly deliveryCount: number
}

const UNKNOWN_START = -1

/**
 * The state after `changes`, from `startOffset` on (-1 for all of it): in order, without overlap. Where both know of an
 * offset, the higher delivery count wins, then the higher state.
 */
export function combineBatches(
  current: readonly StateBatch[],
  changes: readonly StateBatch[],
  startOffset: number,
): readonly StateBatch[] {
  const kept = startOffset === UNKNOWN_START ? [...current, ...changes] : cutOff([...current, ...changes], startOffset)
  if (kept.length < 2) return kept
  const sorted = kept.sort(compareBatches)
  if (sorted.every(saysSomething)) return disentangle(sorted)
  // Apache Kafka keeps such a batch where it is within no other one, and otherwise never comes to an end.
  const nothing = sorted.filter((batch) => !saysSomething(batch))
  return [...disentangle(sorted.filter(saysSomething)), ...nothing].sort(compareBatches)
}

/** False for a batch that ends before it begins: whoever writes states is taken at his word. */
function saysSomething({ firstOffset, lastOffset }: StateBatch): boolean {
  return firstOffset <= lastOffset
}

function cutOff(batches: readonly StateBatch[], startOffset: number): StateBatch[] {
  const kept: StateBatch[] = []
  for (const batch of batches) {
    if (batch.lastOffset < startOffset) continue
    kept.push(batch.firstOffset >= startOffset ? batch : { ...batch, firstOffset: startOffset })
  }
  return kept
}

/** `pending` is sorted. A batch that touches none of those after it is final, as in Apache Kafka's records. */
function disentangle(pending: StateBatch[]): StateBatch[] {
  const final: StateBatch[] = []
  while (pending.length > 0) {
    const first = pending.shift()!
    const second = pending[0]
    if (second === undefined || !touches(first, second)) {
      final.push(first)
      continue
    }
    pending.shift()
    for (const piece of compareStates(first, second) === 0 ? [union(first, second)] : split(first, second)) {
      insert(pending, piece)
    }
  }
  return final
}

/** `first` sorts before `second`. */
function touches(first: StateBatch, second: StateBatch): boolean {
  if (second.firstOffset <= first.lastOffset) return true
  return first.lastOffset + 1 === second.firstOffset && compareStates(first, second) === 0
}

function union(first: StateBatch, second: StateBatch): StateBatch {
  return { ...first, lastOffset: Math.max(first.lastOffset, second.lastOffset) }
}

/**
 * Two that overlap and differ, without overlap: the stronger one whole, the other one where it stands out. Beyond 2^53 the
 * offset next to another one may be the same number: a piece that would overlap for that is left out.
 */
function split(first: StateBatch, second: StateBatch): StateBatch[] {
  const [strong, weak] = compareStates(second, first) < 0 ? [first, second] : [second, first]
  const pieces: StateBatch[] = []
  const before = { ...weak, lastOffset: strong.firstOffset - 1 }
  if (before.lastOffset < strong.firstOffset && saysSomething(before)) pieces.push(before)
  pieces.push(strong)
  const after = { ...weak, firstOffset: strong.lastOffset + 1 }
  if (after.firstOffset > strong.lastOffset && saysSomething(after)) pieces.push(after)
  return pieces
}

function insert(sorted: StateBatch[], batch: StateBatch): void {
  let at = 0
  while (at < sorted.length && compareBatches(sorted[at]!, batch) < 0) at++
  sorted.splice(at, 0, batch)
}

function compareStates(a: StateBatch, b: StateBatch): number {
  return a.deliveryCount - b.deliveryCount || a.deliveryState - b.deliveryState
}

function compareBatches(a: StateBatch, b: StateBatch): number {
  return a.firstOffset - b.firstOffset || a.lastOffset - b.lastOffset || compareStates(a, b)
}
