/** A bug that is put into the code while the simulation is built, to see whether the simulation finds it. */
export interface PlantedBug {
  readonly name: string
  /** What is wrong then. */
  readonly what: string
  /** The file below `src`, the text in it, which is there once, and what takes its place. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export const plantedBugs: readonly PlantedBug[] = []
