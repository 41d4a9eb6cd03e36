import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { plantedBugs } from './planted-bugs.ts'
import { simulate } from './simulate.ts'

const SHORT = { faultsMs: 5000, maxPauseMs: 1500 }

describe('a simulated cluster', () => {
  test.each([1, 3])('of %i nodes goes the same way for the same seed', async (nodes) => {
    const scenario = { ...SHORT, nodes, isAllSynced: nodes === 1 }
    const first = await simulate(nodes, { scenario })
    expect(first.failure).toBeUndefined()
    expect(first.acknowledged).toBeGreaterThan(50)
    const other = await simulate(nodes + 1, { scenario })
    const again = await simulate(nodes, { scenario })
    expect(again.hash).toBe(first.hash)
    expect(again.trace).toEqual(first.trace)
    expect(other.hash).not.toBe(first.hash)
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
