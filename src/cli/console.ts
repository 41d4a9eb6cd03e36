/** What a command sees of the process it runs in. */
export interface Console {
  readonly environment: ReadonlyMap<string, string>
  /** One line each. */
  out(line: string): void
  err(line: string): void
}

/** A command line that cannot be understood: the message, then where to find help. Exit code 2. */
export class UsageError extends Error {
  /** The command line that prints help. */
  readonly help: string

  constructor(message: string, help = 'ottla --help') {
    super(message)
    this.help = help
  }
}

/** What was asked for cannot be done: the message in one line says why. Exit code 1. */
export class CommandError extends Error {}
