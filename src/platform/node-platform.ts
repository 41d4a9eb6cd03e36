import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import { pathToFileURL } from 'node:url'
import { NodeDisk } from './node-disk.ts'
import { NodeNetwork } from './node-network.ts'
import type { Platform } from './platform.ts'
import type { Random } from './random.ts'
import type { Scheduled, Time } from './time.ts'

/** Node's timers hold their delay in 31 bits; a longer delay would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

class NodeTime implements Time {
  nowMs(): number {
    return Date.now()
  }

  monotonicMs(): number {
    return performance.now()
  }

  after(delayMs: number, task: () => void): Scheduled {
    let handle: NodeJS.Timeout
    const start = (restMs: number) => {
      const stepMs = Math.min(restMs, MAX_TIMER_MS)
      handle = setTimeout(() => (restMs > stepMs ? start(restMs - stepMs) : task()), stepMs)
    }
    start(Math.max(0, delayMs))
    return { cancel: () => clearTimeout(handle) }
  }

  soon(task: () => void): void {
    setImmediate(task)
  }
}

// Loading it takes longer than a start has to spare, and a start needs no randomness.
const require = createRequire(import.meta.url)
const crypto = () => require('node:crypto') as typeof import('node:crypto')

class NodeRandom implements Random {
  bytes(length: number): Buffer {
    return crypto().randomBytes(length)
  }

  below(below: number): number {
    return crypto().randomInt(below)
  }
}

/** The real world, by Node's own modules. */
export function nodePlatform(): Platform {
  return {
    time: new NodeTime(),
    disk: new NodeDisk(),
    network: new NodeNetwork(),
    random: new NodeRandom(),
    hostName: hostname(),
    importModule: (path) => import(pathToFileURL(path).href),
  }
}
