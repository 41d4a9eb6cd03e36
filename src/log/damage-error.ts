/** Bytes on disk that are no batch, or not the batch that should be there. */
export class DamageError extends Error {
  readonly path: string
  readonly positionBytes: number

  constructor(path: string, positionBytes: number, what: string) {
    super(`${path} is damaged at byte ${positionBytes}: ${what}`)
    this.name = 'DamageError'
    this.path = path
    this.positionBytes = positionBytes
  }
}
