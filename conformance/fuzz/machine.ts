import { apis } from '../../src/protocol/api-keys.ts'
import type { ApiName } from '../differential/probe.ts'
import type { Random } from './random.ts'
import type { Side } from './side.ts'

/** One request, or few that belong together, without anything that a broker made up: it can be sent to any broker. */
export interface Step {
  readonly op: string
  /** Which of the clients sends it. */
  readonly client: number
  readonly args: Readonly<Record<string, string | number | boolean | readonly number[] | null>>
}

/** Where the clients of one sequence stand with one broker. */
export interface Play {
  /** Does what the step says, as far as it is possible where the clients stand. */
  take(step: Step): Promise<void>
  /** All that anybody can see of what the requests have done; written down like the answers to them. */
  look(): Promise<void>
  /** Leaves nothing behind that the next sequence could feel. */
  end(): Promise<void>
}

/** A theme: which steps there are, and what they mean. */
export interface Machine {
  readonly name: string
  /** How many steps a sequence has. */
  readonly length: number
  /** Milliseconds after which something would happen by itself: a sequence that takes longer is broken off. */
  readonly withinMs?: number
  step(random: Random): Step
  start(side: Side): Promise<Play>
}

/** A version that both brokers serve, any of them, the newest more often. */
export function anyVersion(random: Random, api: ApiName, low = 0, high = 99): number {
  const { kafkaVersions, request } = apis[api]
  const newest = Math.min(high, request.latestVersionUnstable ? kafkaVersions.high - 1 : kafkaVersions.high)
  return random.chance(0.4) ? newest : random.between(Math.max(low, kafkaVersions.low), newest)
}
