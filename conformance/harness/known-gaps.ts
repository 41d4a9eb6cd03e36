import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from './cache.ts'

/**
 * The gaps of a file such as conformance/known-gaps.txt: id -> reason. The last colon divides them: ids may hold colons.
 * Throws on a line that is neither a comment nor a gap, and on an id that is there twice.
 */
export function parseKnownGaps(text: string): Map<string, string> {
  const gaps = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const at = line.lastIndexOf(': ')
    const id = line.slice(0, at).trim()
    const reason = line.slice(at + 2).trim()
    if (at < 0 || id === '' || reason === '') throw new Error(`not "id: reason": ${line}`)
    if (gaps.has(id)) throw new Error(`twice: ${id}`)
    gaps.set(id, reason)
  }
  return gaps
}

export function knownGaps(): Map<string, string> {
  return parseKnownGaps(readFileSync(join(repositoryRoot, 'conformance', 'known-gaps.txt'), 'utf8'))
}

/** A skipped test in a source file: its title, or undefined where that is not a plain string. */
export interface Skip {
  line: number
  title: string | undefined
}

const modifier = /\b(?:test|it|describe|suite|context|ctx|task)\.(?:skip|todo|skipIf|runIf|fails|only)\b/g
const titled = /\w+\.(?:skip|todo|fails|(?:skipIf|runIf)\((?:[^()]|\([^()]*\))*\))\(\s*(['"`])(.+?)\1/y

/** Every place in `source` where a test is kept from running as an ordinary one. */
export function skipsIn(source: string): Skip[] {
  return [...source.matchAll(modifier)].map(({ index }) => {
    titled.lastIndex = index
    return { line: source.slice(0, index).split('\n').length, title: titled.exec(source)?.[2] }
  })
}
