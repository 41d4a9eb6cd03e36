/** What a child says to its parent: that it serves, and, after PREPARE, that it can stop. */
export const READY = 'ready'
export const PREPARED = 'prepared'

/** What a parent says to its children: to prepare for stopping, all of them, and then to stop. */
export const PREPARE = 'prepare'
export const STOP = 'stop'

/** The parent of this process, if it was started as a child. */
export interface Parent {
  /** Tells it that this process serves. */
  ready(): void
  /** Tells it that this process is prepared to stop. */
  prepared(): void
}

export interface ParentEvents {
  /** It is going to have all its children stop. */
  prepare(): void
  stop(): void
  /** It has ended, or has by now. */
  gone(): void
}

/** Undefined for a process that is nobody's child. */
export function nodeParent({ prepare, stop, gone }: ParentEvents): Parent | undefined {
  if (process.send === undefined) return undefined
  process.on('message', (message) => {
    if (message === PREPARE) prepare()
    if (message === STOP) stop()
  })
  process.once('disconnect', gone)
  if (!process.connected) gone()
  // Without a callback, a parent that has gone would be an error that nobody catches.
  const tell = (what: string) => void (process.connected && process.send?.(what, () => {}))
  return { ready: () => tell(READY), prepared: () => tell(PREPARED) }
}
