/** Why a command cannot go on, in one line for whoever started it. Nothing was changed on disk. */
export class StartupError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'StartupError'
  }
}
