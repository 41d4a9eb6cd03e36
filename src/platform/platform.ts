import type { Disk } from './disk.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import type { Time } from './time.ts'

/** Everything a broker may touch outside its own memory. Comes in through constructors, so that tests can replace it. */
export interface Platform {
  readonly time: Time
  readonly disk: Disk
  readonly network: Network
  readonly random: Random
  /** The name by which others may reach this machine; left out where there is none but localhost. */
  readonly hostName?: string
  /** What the JavaScript module at a path exports; left out where there are none. */
  readonly importModule?: (path: string) => Promise<Record<string, unknown>>
}
