import { startTestBroker, type TestBroker } from '../../testing/test-broker.ts'
import { run } from '../main.ts'

export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command line in this process. */
export async function ottla(...words: string[]): Promise<Outcome> {
  const out: string[] = []
  const err: string[] = []
  const console = {
    environment: new Map<string, string>(),
    out: (line: string) => void out.push(line),
    err: (line: string) => void err.push(line),
  }
  const code = await run(words, console)
  return { code, out: out.join('\n'), err: err.join('\n') }
}

export interface CommandBroker {
  readonly broker: TestBroker
  /** Runs a command, whose words are separated by blanks, against the broker. */
  on(line: string): Promise<Outcome>
  /** As `on`, and parses what --json prints of a command that succeeds. */
  json(line: string): Promise<unknown>
  stop(): Promise<void>
}

export async function startCommandBroker(overrides: Readonly<Record<string, string>> = {}): Promise<CommandBroker> {
  const broker = await startTestBroker({ overrides })
  const on = (line: string) => {
    const [command = '', ...words] = line.split(' ')
    return ottla(command, '--bootstrap-server', broker.address, ...words)
  }
  return {
    broker,
    on,
    json: async (line) => {
      const { code, out, err } = await on(`${line} --json`)
      if (code !== 0) throw new Error(err)
      return JSON.parse(out)
    },
    stop: () => broker.server.stop(),
  }
}
