import type { Driver, OutputRecord } from './apps.ts'

export const partitionCount = 4

/** Lines of words, some of which are more frequent than others; and how often each word was written. */
export class Text {
  readonly counts: Map<string, number> = new Map()
  wordCount = 0
  private lineCount = 0
  private readonly driver: Driver
  private readonly random: () => number

  constructor(driver: Driver, random: () => number) {
    this.driver = driver
    this.random = random
  }

  write(lines: number): void {
    for (let i = 0; i < lines; i++) {
      const words = Array.from({ length: 4 }, () => `w${Math.floor(300 * this.random() ** 2)}`)
      for (const word of words) this.counts.set(word, (this.counts.get(word) ?? 0) + 1)
      this.wordCount += words.length
      // Times of today: a broker that starts knows no producer any more whose last record is older than a day.
      this.driver.write('lines', this.lineCount++ % partitionCount, Date.now(), '', words.join(' '))
    }
  }
}

/** The counts of each word in the order of the output: 1, 2, 3 ... if every word was counted exactly once. */
export function countsOf(records: readonly OutputRecord[]): Map<string, number[]> {
  const counts = new Map<string, number[]>()
  for (const { key, value } of records) {
    const soFar = counts.get(key) ?? []
    soFar.push(Number(value))
    counts.set(key, soFar)
  }
  return counts
}

export function expectedCounts(text: Text): Map<string, number[]> {
  return new Map([...text.counts].map(([word, count]) => [word, Array.from({ length: count }, (_, i) => i + 1)]))
}

export function inOrder(records: readonly OutputRecord[]): OutputRecord[] {
  return [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}
