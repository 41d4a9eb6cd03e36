import type { Body, Probe } from '../differential/probe.ts'

/** How a broker's time ends, by SIGTERM or SIGKILL, and who comes after it. */
export interface Handover {
  readonly ending: 'stop' | 'kill'
  readonly next: 'ottla' | 'oracle'
}

/** Clients whose state brokers keep, and who go on when another broker takes over the directory. */
export interface Passenger {
  /** Once, on the first broker. */
  begin(probe: Probe): Promise<void>
  /** Leaves things unfinished for the next broker. */
  leave(probe: Probe, handover: Handover): Promise<void>
  /** What the broker says of it; the next one must say the same. */
  described(probe: Probe): Promise<Body>
  /** The last requests before the end; what `described` answers does not depend on them. */
  partingRequests?(probe: Probe, handover: Handover): Promise<void>
  /** Finishes on this broker what was begun on the one before. */
  goOn(probe: Probe): Promise<void>
}

/** Errors that pass: the broker has only just started, or the transaction before is still ending. */
const PASSING: readonly unknown[] = [
  3, // UNKNOWN_TOPIC_OR_PARTITION
  6, // NOT_LEADER_OR_FOLLOWER
  14, // COORDINATOR_LOAD_IN_PROGRESS
  15, // COORDINATOR_NOT_AVAILABLE
  16, // NOT_COORDINATOR
  19, // NOT_ENOUGH_REPLICAS
  51, // CONCURRENT_TRANSACTIONS
]

/** Asks until the error that `codeOf` finds in the answer is none that passes by itself; answers that answer. */
export async function settledAnswer(ask: () => Promise<Body>, codeOf: (answer: Body) => unknown): Promise<Body> {
  const deadline = Date.now() + 60_000
  for (;;) {
    const answer = await ask()
    if (!PASSING.includes(codeOf(answer)) || Date.now() > deadline) return answer
    await pause()
  }
}

export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50))
}
