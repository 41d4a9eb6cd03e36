import { UsageError } from './console.ts'

/**
 * A flag of a command. `short` is one letter, `takesValue` says whether a value follows it; 'maybe': what follows is its
 * value unless it is another flag.
 */
export interface Flag {
  readonly name: string
  readonly short?: string
  readonly takesValue: boolean | 'maybe'
}

export interface Arguments {
  readonly positional: readonly string[]
  /** The last value of a flag that takes one; undefined where it was not given. */
  value(name: string): string | undefined
  values(name: string): readonly string[]
  has(name: string): boolean
  /** The names of the flags as they were given, each as often as it was. */
  readonly order: readonly string[]
}

/**
 * Parses `--name value`, `--name=value`, `-n value` and, for flags without a value, `--name` and `-n`.
 * After `--` everything is positional. Throws UsageError for what is not understood.
 */
export function parseArguments(args: readonly string[], flags: readonly Flag[]): Arguments {
  const positional: string[] = []
  const found = new Map<string, string[]>()
  const order: string[] = []
  for (let index = 0; index < args.length; index++) {
    const argument = args[index]!
    if (argument === '--') {
      positional.push(...args.slice(index + 1))
      break
    }
    if (!argument.startsWith('-') || argument === '-') {
      positional.push(argument)
      continue
    }
    const [, written = '', attached] = /^(--?[^=]*)(?:=([\s\S]*))?$/.exec(argument) ?? []
    const flag = flags.find(
      ({ name, short }) => written === `--${name}` || (short !== undefined && written === `-${short}`),
    )
    if (flag === undefined) throw new UsageError(`unknown option ${written}`)
    const values = found.get(flag.name) ?? []
    found.set(flag.name, values)
    order.push(flag.name)
    const hasNoValue = args[index + 1] === undefined || args[index + 1]!.startsWith('-')
    if (flag.takesValue === 'maybe' && attached === undefined && hasNoValue) {
      values.push('')
      continue
    }
    if (flag.takesValue === false) {
      if (attached !== undefined) throw new UsageError(`option ${written} takes no value`)
      values.push('')
      continue
    }
    const value = attached ?? args[++index]
    if (value === undefined) throw new UsageError(`option ${written} needs a value`)
    values.push(value)
  }
  return {
    positional,
    order,
    value: (name) => found.get(name)?.at(-1),
    values: (name) => found.get(name) ?? [],
    has: (name) => found.has(name),
  }
}
