import * as fs from 'node:fs'
import type { DirectoryLock } from './disk.ts'

/**
 * Node has no advisory file locks, so ownership of a data directory is a line in its `.lock` file: the owner's pid and
 * the time that process started, by which a lock outlives neither its owner nor the reuse of a pid. Apache Kafka locks
 * the same file with fcntl and leaves it empty; on Linux such a lock shows in /proc/locks and is respected.
 */
export function lockDirectory(lockPath: string): DirectoryLock | undefined {
  if (isLockedByKernel(lockPath)) return undefined
  const mine = `${process.pid} ${startTimeOf(process.pid) ?? ''}\n`
  for (let attempt = 0; attempt < 100; attempt++) {
    const outcome = withClaim(lockPath, mine, (own) => {
      const owner = ownerOf(lockPath)
      if (owner !== undefined && isAlive(owner)) return 'held'
      fs.renameSync(own, lockPath)
      return 'taken'
    })
    if (outcome === 'held') return undefined
    if (outcome === 'taken') return { release: () => release(lockPath, mine) }
  }
  return undefined
}

interface Owner {
  pid: number
  startTime: string
}

function ownerOf(lockPath: string): Owner | undefined {
  let text: string
  try {
    text = fs.readFileSync(lockPath, 'latin1')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const match = /^(\d+) (\S*)\n$/.exec(text)
  return match ? { pid: Number(match[1]), startTime: match[2]! } : undefined
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    // EPERM: it lives, under another user.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  const startTime = startTimeOf(owner.pid)
  return startTime === undefined || owner.startTime === '' || startTime === owner.startTime
}

/**
 * Looking at the lock and taking it must be one step, or two processes could both find the same dead owner. The claim
 * is a hard link, which the file system grants to one of them only; undefined when another has it.
 */
function withClaim<T>(lockPath: string, mine: string, body: (own: string) => T): T | undefined {
  const own = `${lockPath}.${process.pid}`
  const claim = `${lockPath}.claim`
  try {
    fs.writeFileSync(own, mine)
    fs.linkSync(own, claim)
  } catch (error) {
    fs.rmSync(own, { force: true })
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    const claimant = ownerOf(claim)
    if (claimant !== undefined && !isAlive(claimant)) fs.rmSync(claim, { force: true })
    return undefined
  }
  try {
    return body(own)
  } finally {
    fs.rmSync(own, { force: true })
    fs.rmSync(claim, { force: true })
  }
}

function release(lockPath: string, mine: string): void {
  try {
    if (fs.readFileSync(lockPath, 'latin1') === mine) fs.writeFileSync(lockPath, '')
  } catch (error) {
    // The directory may have been deleted under us; then there is nothing left to release.
    if (!isMissing(error)) throw error
  }
}

/** Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot. Undefined where there is no /proc. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the command in parentheses, which may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

/** True if some process holds an fcntl or flock lock on the file, as a running Apache Kafka does. */
function isLockedByKernel(lockPath: string): boolean {
  let locks: string
  let inode: number
  try {
    inode = fs.statSync(lockPath).ino
    locks = fs.readFileSync('/proc/locks', 'latin1')
  } catch {
    return false
  }
  return locks.split('\n').some((line) => line.includes(' WRITE ') && line.includes(`:${inode} `))
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
