import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freshDir } from '../harness/cache.ts'
import { Daemon, eventually } from '../harness/process.ts'

const CHUNK = Buffer.alloc(65_536, 1)

/** A file system of its own for processes that run under `wrap`; needs root, or user namespaces for everybody. */
export class SmallDisk {
  readonly wrap: readonly string[]
  /** Where other processes see what is in it. */
  readonly path: string
  private readonly holder: Daemon

  private constructor(holder: Daemon, dir: string, namespaces: readonly string[]) {
    this.holder = holder
    this.wrap = ['nsenter', '-t', String(holder.pid), ...namespaces, '--']
    this.path = join(`/proc/${holder.pid}/root`, dir)
  }

  /** Puts an empty file system of `sizeMb` on `dir`. */
  static async on(dir: string, sizeMb: number): Promise<SmallDisk> {
    mkdirSync(dir, { recursive: true })
    const isRoot = process.getuid?.() === 0
    const namespaces = isRoot ? ['-m'] : ['-U', '-m', '--preserve-credentials']
    const script = `mount -t tmpfs -o size=${sizeMb}m ottla '${dir}' && echo mounted && exec sleep infinity`
    const own = freshDir('small-disk')
    const holder = new Daemon('unshare', [isRoot ? '-m' : '-Urm', 'sh', '-c', script], {
      cwd: own,
      logFile: join(own, 'out'),
    })
    await eventually('a small disk', 10_000, async () => {
      if (!holder.running) throw new Error(`no small disk: ${holder.output()}`)
      return holder.output().includes('mounted') || undefined
    })
    return new SmallDisk(holder, dir, namespaces)
  }

  /** Leaves not one byte free. */
  fill(): void {
    for (let index = 0; ; index++) {
      try {
        writeFileSync(this.filler(index), CHUNK)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return
        throw error
      }
      this.files = index + 1
    }
  }

  /** Gives back what `fill` took. */
  free(): void {
    for (let index = 0; index <= this.files; index++) rmSync(this.filler(index), { force: true })
  }

  async end(): Promise<void> {
    await this.holder.end('SIGKILL', 5_000)
  }

  private filler(index: number): string {
    return join(this.path, `filler-${index}`)
  }

  private files = 0
}
