import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached, hashOf, repositoryRoot } from './cache.ts'
import { type RunResult, run, runOk } from './process.ts'

const source = join(repositoryRoot, 'conformance', 'clients', 'franz')

/** The program of `conformance/clients/franz`, built once for its sources. */
export async function franzProgram(): Promise<string> {
  const contents = ['main.go', 'go.mod', 'go.sum'].map((name) => readFileSync(join(source, name), 'utf8'))
  const dir = await cached(join('franz', hashOf(contents)), async (building) => {
    await runOk('go', ['build', '-mod=readonly', '-o', join(building, 'franz'), '.'], {
      cwd: source,
      timeoutMs: 600_000,
    })
  })
  return join(dir, 'franz')
}

export async function runFranz(args: readonly string[]): Promise<RunResult> {
  return run(await franzProgram(), args, { timeoutMs: 180_000 })
}
