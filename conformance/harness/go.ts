import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached, hashOf, repositoryRoot } from './cache.ts'
import { type RunResult, run, runOk } from './process.ts'

/** The program of `conformance/clients/<name>`, built once for its sources. */
export async function goProgram(name: string): Promise<string> {
  const source = join(repositoryRoot, 'conformance', 'clients', name)
  const contents = ['main.go', 'go.mod', 'go.sum'].map((file) => readFileSync(join(source, file), 'utf8'))
  const dir = await cached(join(name, hashOf(contents)), async (building) => {
    await runOk('go', ['build', '-mod=readonly', '-o', join(building, name), '.'], { cwd: source, timeoutMs: 600_000 })
  })
  return join(dir, name)
}

export async function runFranz(args: readonly string[]): Promise<RunResult> {
  return run(await goProgram('franz'), args, { timeoutMs: 180_000 })
}

export async function runSarama(args: readonly string[]): Promise<RunResult> {
  return run(await goProgram('sarama'), args, { timeoutMs: 180_000 })
}
