import type { Child, Children, ProcessEnd } from '../../platform/children.ts'
import type { Scheduled, Time } from '../../platform/time.ts'
import type { Console } from '../console.ts'
import type { NodePlan } from './plan.ts'

/** How long nodes may take to stop before they are killed. */
const STOP_TIMEOUT_MS = 60_000
/** Who starts a program may pass a signal on that it got itself: two within this time are one. */
const IMPATIENT_AFTER_MS = 1000
const LAST_LINES = 10

export interface RunnerOptions {
  readonly plan: readonly NodePlan[]
  readonly children: Children
  readonly time: Time
  readonly console: Console
  /** Of each child. */
  readonly environment: ReadonlyMap<string, string>
  /** Called when all nodes serve. */
  readonly ready: () => void
}

interface RunningNode {
  readonly plan: NodePlan
  readonly lastLines: string[]
  child: Child | undefined
  isReady: boolean
  isPrepared: boolean
  end: ProcessEnd | undefined
}

/** Runs the nodes of a cluster as processes, each with its lines after its id, until all have ended. */
export class ClusterRunner {
  readonly #options: RunnerOptions
  readonly #nodes: readonly RunningNode[]
  #stoppedAtMs: number | undefined
  #hasFailed = false
  #deadline: Scheduled | undefined
  #finish: (code: number) => void = () => {}

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#nodes = options.plan.map((plan) => {
      return { plan, lastLines: [], child: undefined, isReady: false, isPrepared: false, end: undefined }
    })
  }

  /** Answers the exit code when all nodes have ended: 0 where they were told to stop and did. */
  run(): Promise<number> {
    const { children, environment } = this.#options
    return new Promise((resolve) => {
      this.#finish = resolve
      for (const node of this.#nodes) {
        node.child = children.start(['start', node.plan.propertiesFile], environment, {
          line: (text) => this.#line(node, text),
          ready: () => this.#ready(node),
          prepared: () => {
            node.isPrepared = true
            this.#stopPrepared()
          },
          ended: (end) => this.#ended(node, end),
        })
      }
    })
  }

  /** Stops all nodes; asked again, kills them. */
  stop(): void {
    const { time } = this.#options
    if (this.#stoppedAtMs !== undefined) {
      if (time.monotonicMs() - this.#stoppedAtMs >= IMPATIENT_AFTER_MS) this.#kill()
      return
    }
    this.#stoppedAtMs = time.monotonicMs()
    this.#deadline = time.after(STOP_TIMEOUT_MS, () => {
      this.#options.console.err('ottla: some nodes did not stop in time, and are killed')
      this.#kill()
    })
    for (const { child, end } of this.#nodes) if (end === undefined) child?.prepare()
  }

  /** Nodes stop once all are prepared: as long as one is not, it needs the others for that. */
  #stopPrepared(): void {
    const running = this.#nodes.filter(({ end }) => end === undefined)
    if (running.some(({ isPrepared }) => !isPrepared)) return
    for (const { child } of running) child?.stop()
  }

  get #isStopping(): boolean {
    return this.#stoppedAtMs !== undefined
  }

  #kill(): void {
    this.#hasFailed = true
    for (const { child, end } of this.#nodes) if (end === undefined) child?.kill()
  }

  #line(node: RunningNode, text: string): void {
    node.lastLines.push(text)
    if (node.lastLines.length > LAST_LINES) node.lastLines.shift()
    this.#options.console.out(`${node.plan.id} | ${text}`)
  }

  #ready(node: RunningNode): void {
    node.isReady = true
    if (!this.#isStopping && this.#nodes.every(({ isReady }) => isReady)) this.#options.ready()
  }

  #ended(node: RunningNode, end: ProcessEnd): void {
    node.end = end
    const isExpected = this.#isStopping && (end.code === 0 || !node.isReady)
    if (!isExpected) this.#report(node, end)
    if (!isExpected && (this.#isStopping || !node.isReady)) this.#hasFailed = true
    // A cluster that never was complete is not worth running on; one that was can go on without a node.
    if (!node.isReady && !this.#isStopping) this.stop()
    if (this.#nodes.some(({ end }) => end === undefined)) {
      if (this.#isStopping) this.#stopPrepared()
      return
    }
    this.#deadline?.cancel()
    this.#finish(this.#hasFailed || !this.#isStopping ? 1 : 0)
  }

  #report({ plan, lastLines, isReady }: RunningNode, { code, signal }: ProcessEnd): void {
    const { console } = this.#options
    const how = signal !== null ? `by ${signal}` : code === null ? 'before it began' : `with exit code ${code}`
    console.err(`ottla: node ${plan.id} ended ${how}. Its last lines:`)
    for (const line of lastLines) console.err(`ottla:   ${line}`)
    if (isReady && !this.#isStopping) console.err(`ottla: to start it again: ottla start ${plan.propertiesFile}`)
  }
}
