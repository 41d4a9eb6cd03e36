import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { PREPARE, PREPARED, READY, STOP } from './parent.ts'

/** How a process ended: its exit code, or the signal that ended it. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: string | null
}

export interface ChildEvents {
  /** A line that it printed, on either of its streams. */
  line(text: string): void
  /** It said that it is ready. */
  ready(): void
  /** It said that it is prepared to stop. */
  prepared(): void
  /** Called once, last. */
  ended(end: ProcessEnd): void
}

export interface Child {
  readonly pid: number | undefined
  /** Tells it to prepare for a stop of all children. */
  prepare(): void
  stop(): void
  kill(): void
}

/** Starts this program again, as another process. */
export interface Children {
  start(args: readonly string[], environment: ReadonlyMap<string, string>, events: ChildEvents): Child
}

/**
 * Processes of Node that run this program (or another `script`). A child is in a process group of its own, so that a Ctrl-C reaches it only through
 * its parent; and it is connected to its parent by a channel, whose end tells it that the parent has gone, however it went.
 */
export function nodeChildren(script: string = process.argv[1]!): Children {
  return {
    start(args, environment, events) {
      const command = [...process.execArgv, script, ...args]
      const child = spawn(process.execPath, command, {
        detached: true,
        env: Object.fromEntries(environment),
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      })
      for (const stream of [child.stdout!, child.stderr!]) {
        createInterface({ input: stream }).on('line', (line) => events.line(line))
      }
      child.on('message', (message) => {
        if (message === READY) events.ready()
        if (message === PREPARED) events.prepared()
      })
      let hasEnded = false
      const end = (how: ProcessEnd) => {
        if (!hasEnded) events.ended(how)
        hasEnded = true
      }
      child.on('error', (error) => {
        events.line(error.message)
        end({ code: null, signal: null })
      })
      // Not 'exit', which comes before the last lines.
      child.on('close', (code, signal) => end({ code, signal }))
      // It may be on its way to its end, and have closed the channel.
      const tell = (what: string) => void (child.connected && child.send(what, () => {}))
      return {
        pid: child.pid,
        prepare: () => tell(PREPARE),
        stop: () => tell(STOP),
        kill: () => void child.kill('SIGKILL'),
      }
    },
  }
}
