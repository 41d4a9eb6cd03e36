const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

/**
 * The logical lines of a Java .properties text: comments and blank lines left out, lines that end in an odd number of
 * backslashes joined with the next one, whose leading white space goes.
 */
function* logicalLines(text: string): Generator<string> {
  let joined: string | undefined
  for (const natural of text.split(/\r\n|\n|\r/)) {
    const line = natural.replace(/^[ \t\f]+/, '')
    if (joined === undefined && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue
    const backslashes = /\\*$/.exec(line)![0].length
    if (backslashes % 2 === 1) {
      joined = (joined ?? '') + line.slice(0, -1)
      continue
    }
    yield (joined ?? '') + line
    joined = undefined
  }
  if (joined !== undefined) yield joined
}

function unescaped(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|([\s\S]?))/g, (_all, hex: string | undefined, char: string) =>
    hex === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/** Where the key ends: at the first '=', ':' or white space that no backslash escapes. */
function keyEnd(line: string): number {
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!
    if (char === '\\') at++
    else if (char === '=' || char === ':' || char === ' ' || char === '\t' || char === '\f') return at
  }
  return line.length
}

/** Java's .properties syntax. The last of equal keys wins; values keep the white space at their end, as in Java. */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  for (const line of logicalLines(text)) {
    const end = keyEnd(line)
    const value = line.slice(end).replace(/^[ \t\f]*[=:]?[ \t\f]*/, '')
    properties.set(unescaped(line.slice(0, end)), unescaped(value))
  }
  return properties
}

/** `value` so that `parseProperties` reads it back. */
export function escapePropertyValue(value: string): string {
  const escaped = value.replace(/[\\\t\n\r\f=:#!]/g, (char) => {
    const letter = Object.keys(ESCAPES).find((key) => ESCAPES[key] === char)
    return `\\${letter ?? char}`
  })
  return escaped.replace(/^ /, '\\ ')
}
