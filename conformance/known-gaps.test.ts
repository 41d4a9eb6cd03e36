import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from './harness/cache.ts'
import { knownGaps, parseKnownGaps, skipsIn } from './harness/known-gaps.ts'

function sources(folder: string): Array<{ file: string; text: string }> {
  const names = readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: 'utf8' })
  const code = names.filter((name) => name.endsWith('.ts') && !name.includes('known-gaps'))
  return code.map((name) => ({
    file: join(folder, name),
    text: readFileSync(join(repositoryRoot, folder, name), 'utf8'),
  }))
}

const all = [...sources('conformance'), ...sources('src')]
const tests = all.filter(({ file }) => file.endsWith('.test.ts'))

test('every skipped test has a line in known-gaps.txt', () => {
  const gaps = knownGaps()
  const unexplained = tests.flatMap(({ file, text }) => {
    const skips = skipsIn(text).filter(({ title }) => title === undefined || !gaps.has(title))
    return skips.map(({ line, title }) => `${file}:${line} ${title ?? '(no plain title)'}`)
  })
  expect(unexplained).toEqual([])
})

test('every line in known-gaps.txt names a skipped test or a case that exists', () => {
  const skipped = new Set(tests.flatMap(({ text }) => skipsIn(text).map(({ title }) => title)))
  const exists = (id: string) => skipped.has(id) || all.some(({ text }) => text.includes(`'${id}'`))
  expect([...knownGaps().keys()].filter((id) => !exists(id))).toEqual([])
})

describe('the check itself', () => {
  test('finds skips with and without a plain title', () => {
    const source = [
      "test.skip('one', () => {})",
      "test.skipIf(isRoot())('two', () => {})",
      'test.only(name, () => {})',
      '  context.skip()',
      "test('ordinary', () => {})",
      "describe.todo(\n  'three')",
      'reader.skip(4)',
    ]
    expect(skipsIn(source.join('\n'))).toEqual([
      { line: 1, title: 'one' },
      { line: 2, title: 'two' },
      { line: 3, title: undefined },
      { line: 4, title: undefined },
      { line: 6, title: 'three' },
    ])
  })

  test('reads gaps, and refuses what is not one', () => {
    expect(parseKnownGaps('# a comment\n\nkcat: a case: not yet\n')).toEqual(new Map([['kcat: a case', 'not yet']]))
    expect(() => parseKnownGaps('no reason')).toThrow('not "id: reason"')
    expect(() => parseKnownGaps('a: b\na: c')).toThrow('twice: a')
  })
})
