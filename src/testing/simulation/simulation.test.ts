import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { plantedBugs } from './planted-bugs.ts'
import { BALANCES, COMPACTION } from './scenario.ts'
import { simulate } from './simulate.ts'

/** Alone, a node has nobody to make good what it loses with its power. */
const ALONE = { nodes: 1, isAllSynced: true, settings: { 'log.flush.interval.messages': '1' } }
const SHORT = {
  controllers: 0,
  hasVoterChanges: false,
  joiners: 0,
  racks: 0,
  compacted: undefined,
  faultsMs: 3000,
  maxPauseMs: 1500,
}

describe('a simulated cluster', () => {
  test.each([1, 3])('of %i nodes goes the same way for the same seed', async (nodes) => {
    const scenario = { ...SHORT, ...(nodes === 1 ? ALONE : { nodes, isAllSynced: false, settings: {} }) }
    const first = await simulate(nodes, { scenario })
    expect(first.failure).toBeUndefined()
    expect(first.acknowledged).toBeGreaterThan(50)
    const again = await simulate(nodes, { scenario })
    expect(again.hash).toBe(first.hash)
    expect(again.trace).toEqual(first.trace)
  })

  test('has consumers that read from followers in their rack (KIP-392)', async () => {
    const scenario = { ...SHORT, nodes: 3, isAllSynced: false, settings: {}, racks: 3 }
    const { failure, nearbyAnswers } = await simulate(4, { scenario })
    expect(failure).toBeUndefined()
    expect(nearbyAnswers).toBeGreaterThan(0)
  })

  test('compacts topics, and keeps the newest value of each key', async () => {
    const settings = { ...ALONE.settings, ...COMPACTION }
    const scenario = { ...SHORT, ...ALONE, settings, compacted: BALANCES, groupMembers: 2 }
    const { failure, trace } = await simulate(1, { scenario, isVerbose: true })
    expect(failure).toBeUndefined()
    expect(trace.some((line) => line.includes('Compacted balances-0'))).toBe(true)
    expect(trace.some((line) => line.includes('Compacted __consumer_offsets'))).toBe(true)
  })

  test('goes another way for another seed', async () => {
    const scenario = { ...SHORT, ...ALONE, faultsMs: 500 }
    const [one, other] = [await simulate(1, { scenario }), await simulate(2, { scenario })]
    expect(other.hash).not.toBe(one.hash)
  })
})

describe('planted bugs', () => {
  test('are at least twelve, each with a name of its own', () => {
    expect(new Set(plantedBugs.map(({ name }) => name)).size).toBe(plantedBugs.length)
    expect(plantedBugs.length).toBeGreaterThanOrEqual(12)
  })

  test.each(plantedBugs.flatMap(({ name, edits }) => edits.map((edit) => ({ name, ...edit }))))(
    '$name changes what is in $file once',
    ({ file, find, replace }) => {
      const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
      expect(text.split(find)).toHaveLength(2)
      expect(replace).not.toBe(find)
    },
  )
})
