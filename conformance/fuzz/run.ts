import { allowedDifferences } from '../differential/allowed.ts'
import { comparable, differences } from '../differential/compare.ts'
import type { Machine, Play, Step } from './machine.ts'
import type { Pair } from './pair.ts'
import { Random } from './random.ts'
import { type Answer, Side } from './side.ts'

/** How long one broker may take to answer what the other has answered. */
const LAG_MS = 10_000
/** A failing sequence is made shorter for no longer than this. */
const SHRINK_MS = 30_000

/** Where and how the brokers came apart. */
export interface Failure {
  readonly machine: string
  readonly seed: number
  readonly steps: readonly Step[]
  /** Index of the step after which they differed; `steps.length` for the last look. */
  readonly at: number
  readonly what: readonly string[]
}

type Sides = readonly [ottla: Side, oracle: Side]

let runs = 0

export function stepsOf(machine: Machine, seed: number): Step[] {
  const random = new Random(seed)
  return Array.from({ length: machine.length }, () => machine.step(random))
}

/**
 * Plays the sequence of `seed` on both brokers; where they differ, the answer has the shortest sequence found that does.
 * What differs once and not again was time that passed on a busy machine, not what a broker means to do.
 */
export async function playSeed(machine: Machine, seed: number, pair: Pair): Promise<Failure | undefined> {
  const once = await play(machine, seed, stepsOf(machine, seed), pair)
  if (once === undefined) return undefined
  const again = await play(machine, seed, stepsOf(machine, seed), pair)
  if (again === undefined) console.warn(`differed once, not again: ${describeFailure(once)}`)
  return again && shrink(machine, again, pair)
}

/** Plays these steps on both brokers, until they differ. */
export async function play(
  machine: Machine,
  seed: number,
  steps: readonly Step[],
  pair: Pair,
): Promise<Failure | undefined> {
  const name = `${machine.name}-${seed}-${runs++}`
  const sides = [new Side(pair.ottla, name), new Side(pair.oracle, name)] as const
  try {
    const plays = await Promise.all(sides.map((side) => machine.start(side)))
    const endMs = performance.now() + (machine.withinMs ?? Number.POSITIVE_INFINITY)
    for (let at = 0; at <= steps.length && performance.now() < endMs; at++) {
      const step = steps[at]
      const what = await playStep(sides, plays, step)
      if (what.length > 0) return { machine: machine.name, seed, steps: steps.slice(0, at + 1), at, what }
    }
    await endOf(plays)
    return undefined
  } finally {
    for (const side of sides) side.close()
  }
}

/** One step, or the last look; answers what differs, or what went wrong. */
async function playStep(sides: Sides, plays: readonly Play[], step: Step | undefined): Promise<string[]> {
  const taken = plays.map((each) => (step === undefined ? each.look() : each.take(step)))
  const wrong: string[] = []
  for (const outcome of await Promise.allSettled(taken)) {
    if (outcome.status === 'rejected') wrong.push(String(outcome.reason))
  }
  return wrong.length > 0 ? wrong : compare(sides)
}

/**
 * After `setup`, each of the steps in `bad` must be refused, as by Apache Kafka, and whatever can be seen must be as it was
 * before. Answers what is otherwise.
 */
export async function playRefused(
  machine: Machine,
  setup: readonly Step[],
  bad: readonly Step[],
  pair: Pair,
): Promise<string[]> {
  const name = `${machine.name}-bad-${runs++}`
  const sides = [new Side(pair.ottla, name), new Side(pair.oracle, name)] as const
  const wrong: string[] = []
  try {
    const plays = await Promise.all(sides.map((side) => machine.start(side)))
    for (const step of setup) {
      await Promise.all(plays.map((each) => each.take(step)))
      wrong.push(...(await compare(sides)))
    }
    let before = await looks(sides, plays)
    for (const step of bad) {
      const what = `client ${step.client} ${step.op} ${JSON.stringify(step.args)}`
      await Promise.all(plays.map((each) => each.take(step)))
      const answers = sides[0].peek()
      if (!answers.some(({ exchange }) => isRefusal(exchange.response))) wrong.push(`${what}: not refused`)
      wrong.push(...(await compare(sides)).map((line) => `${what}: ${line}`))
      const after = await looks(sides, plays)
      for (const [index, side] of sides.entries()) {
        if (after[index] !== before[index]) {
          wrong.push(`${what}: changes ${side.broker.kind}\n  from ${before[index]}\n  to   ${after[index]}`)
        }
      }
      before = after
    }
    await endOf(plays)
  } finally {
    for (const side of sides) side.close()
  }
  return wrong
}

/** What can be seen on each side. */
async function looks(sides: readonly Side[], plays: readonly Play[]): Promise<string[]> {
  await Promise.all(plays.map((each) => each.look()))
  return sides.map((side) =>
    JSON.stringify(side.takeAnswers().map(({ exchange }) => comparable(exchange, side.symbols))),
  )
}

function isRefusal(response: unknown): boolean {
  if (Array.isArray(response)) return response.some(isRefusal)
  if (typeof response !== 'object' || response === null || Buffer.isBuffer(response)) return false
  return Object.entries(response).some(([name, value]) => (/errorCode$/i.test(name) ? value !== 0 : isRefusal(value)))
}

async function endOf(plays: readonly Play[]): Promise<void> {
  await Promise.all(plays.map((each) => each.end()))
}

async function compare([ottla, oracle]: Sides): Promise<string[]> {
  await catchUp(ottla, oracle)
  await catchUp(oracle, ottla)
  const [ours, theirs] = [ottla.takeAnswers(), oracle.takeAnswers()]
  const found: string[] = []
  const who = (answers: readonly Answer[]) => answers.map(({ note }) => note).join(', ')
  if (who(ours) !== who(theirs)) found.push(`Ottla answered [${who(ours)}], Apache Kafka [${who(theirs)}]`)
  for (const [index, { exchange, note, request }] of theirs.entries()) {
    if (ours[index]?.note !== note) continue
    const [a, b] = [comparable(ours[index].exchange, ottla.symbols), comparable(exchange, oracle.symbols)]
    const lines = differences(a, b, `${note} ${exchange.api} v${exchange.version}`).filter((line) => !isAllowed(line))
    if (lines.length > 0) found.push(...lines, ...inFull(request, ours[index], { note, request, exchange } as Answer))
  }
  return found
}

function isAllowed(line: string): boolean {
  return allowedDifferences.some(({ path }) => path.test(line))
}

function inFull(request: unknown, ours: Answer, theirs: Answer): string[] {
  return [
    `  asked: ${JSON.stringify(request)}`,
    `  Ottla: ${JSON.stringify(ours.exchange.response)}`,
    `  Apache Kafka: ${JSON.stringify(theirs.exchange.response)}`,
  ]
}

/** Waits, with a limit, until `slow` has answered all that `fast` has answered. */
async function catchUp(slow: Side, fast: Side): Promise<void> {
  const missing = slow.waiting().filter((who) => !fast.isWaiting(who))
  if (missing.length === 0) return
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LAG_MS)
  })
  await Promise.race([late, Promise.all(missing.map((who) => slow.answered(who)))])
  clearTimeout(timer)
}

/** Leaves out steps, first many at a time, as long as the brokers still differ. */
async function shrink(machine: Machine, failure: Failure, pair: Pair): Promise<Failure> {
  const deadlineMs = Date.now() + SHRINK_MS
  let best = failure
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = best.steps.length - size; from >= 0; from -= size) {
      if (Date.now() > deadlineMs) return best
      const fewer = best.steps.toSpliced(from, size)
      best = (await play(machine, failure.seed, fewer, pair)) ?? best
    }
  }
  return best
}

/** For whoever has to find out why. */
export function describeFailure({ machine, seed, steps, at, what }: Failure): string {
  const lines = steps.map(({ op, client, args }, index) => `  ${index} client ${client} ${op} ${JSON.stringify(args)}`)
  const where = at < steps.length ? `after step ${at}` : 'in the last look'
  return [`${machine}, seed ${seed}: they differ ${where}`, ...lines, ...what].join('\n')
}
