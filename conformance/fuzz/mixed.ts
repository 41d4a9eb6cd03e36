import { ClassicPlay, classicStep } from './classic.ts'
import { ConsumerPlay, consumerStep, REGEX_REFRESH_MS } from './consumer.ts'
import type { Machine, Play, Step } from './machine.ts'
import type { Random } from './random.ts'
import type { Side } from './side.ts'

/** Clients of both protocols in one group, which changes its kind with them (KIP-848). */
export function mixedMachine(topicIds: ReadonlyMap<string, string>): Machine {
  return {
    name: 'mixed',
    length: 45,
    withinMs: REGEX_REFRESH_MS,
    step: mixedStep,
    start: async (side) => new MixedPlay(side, topicIds),
  }
}

function mixedStep(random: Random): Step {
  // Of members that brokers name, only the range assignor, which is the default, knows an order that both have.
  const isClassic = random.chance(0.5)
  const step = isClassic ? classicStep(random) : consumerStep(random, 'none')
  return { ...step, op: `${isClassic ? 'classic' : 'consumer'} ${step.op}` }
}

/** Those of the classic protocol are all static: static members go by their instance ids, which are no broker's choice. */
const CLASSIC_INSTANCES = ['i0', 'i1', 'i2', 'i3', 'i5', 'i6']

/** The first version of JoinGroup that knows static members. */
const FIRST_WITH_INSTANCES = 5

/**
 * Only static members, and only such as prefer one protocol: a group cannot be upgraded by Apache Kafka, which answers
 * UNKNOWN_SERVER_ERROR, when a member that waits in a rebalance does not support the protocol of the last one.
 */
function isComparable({ args }: Step): boolean {
  if (args.instance === 'none' || Number(args.version) < FIRST_WITH_INSTANCES) return false
  return args.protocols !== 'reverse' && args.protocols !== 'other'
}

class MixedPlay implements Play {
  readonly #side: Side
  readonly #classic: ClassicPlay
  readonly #consumer: ConsumerPlay

  constructor(side: Side, topicIds: ReadonlyMap<string, string>) {
    this.#side = side
    this.#classic = new ClassicPlay(side, topicIds, CLASSIC_INSTANCES)
    this.#consumer = new ConsumerPlay(side, topicIds)
  }

  async take(step: Step): Promise<void> {
    const kind = step.op.split(' ')[0]
    const op = step.op.slice(kind!.length + 1)
    if (kind === 'classic' && op.endsWith('join') && !isComparable(step)) return
    if (kind === 'classic' && op.includes('join') && !(await this.#mayJoin())) return
    if (kind === 'classic') await this.#classic.take({ ...step, op })
    else await this.#consumer.take({ ...step, op })
    await this.#classic.settle()
  }

  /**
   * Not into a consumer group without members: Apache Kafka refuses that to whoever has a member id, but has replaced the group
   * by a classic one, until it loads it again. And not where it could not be known whether regular expressions are resolved.
   */
  async #mayJoin(): Promise<boolean> {
    const { groups } = await this.#side.quietly('ConsumerGroupDescribe', 1, { groupIds: [this.#side.name] })
    return groups[0].groupState !== 'Empty' && !(await this.#consumer.isUnresolved())
  }

  async look(): Promise<void> {
    await this.#consumer.look()
  }

  async end(): Promise<void> {
    await this.#classic.end()
  }
}
