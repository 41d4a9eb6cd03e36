import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { badInputs } from './bad-input.ts'
import { classicMachine } from './classic.ts'
import { consumerMachine } from './consumer.ts'
import type { Machine } from './machine.ts'
import { mixedMachine } from './mixed.ts'
import { type Pair, startPair } from './pair.ts'
import { describeFailure, playRefused, playSeed } from './run.ts'
import { shareMachine } from './share.ts'
import { streamsMachine } from './streams.ts'
import { transactionMachine } from './transactions.ts'

/** `OTTLA_FUZZ_SEED` is the first seed, `OTTLA_FUZZ_SEQUENCES` how many sequences of every theme are played. */
const FIRST_SEED = Number(process.env.OTTLA_FUZZ_SEED ?? 1)
const SEQUENCES = Number(process.env.OTTLA_FUZZ_SEQUENCES ?? 30)

/** So many are enough to read. */
const MAX_FAILURES = 5

let pair: Pair

beforeAll(async () => {
  pair = await startPair()
})
afterAll(async () => {
  await pair?.stop()
})

const machines: Readonly<Record<string, () => Machine>> = {
  'groups of the classic protocol': () => classicMachine(pair.topicIds),
  'groups of the consumer protocol': () => consumerMachine(pair.topicIds),
  'groups of members of both protocols': () => mixedMachine(pair.topicIds),
  'share groups': () => shareMachine(pair.topicIds),
  'streams groups': () => streamsMachine(pair.topicIds),
  'transactional and idempotent producers': () => transactionMachine,
}

describe('bad input is refused with the same errors as by Apache Kafka, and changes nothing', () => {
  test.each(badInputs)('$title', async ({ machine, setup, bad }) => {
    const wrong = await playRefused(machine(pair.topicIds), setup, bad, pair)
    expect(wrong.join('\n')).toBe('')
  })
})

describe('random sequences of requests, step by step to Ottla and to Apache Kafka', () => {
  test.each(Object.keys(machines))('%s', async (title) => {
    const machine = machines[title]!()
    const failures: string[] = []
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEQUENCES && failures.length < MAX_FAILURES; seed++) {
      const failure = await playSeed(machine, seed, pair)
      if (failure !== undefined) failures.push(describeFailure(failure))
    }
    expect(failures.join('\n\n')).toBe('')
  })
})
