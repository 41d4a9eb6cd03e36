import { spawnSync } from 'node:child_process'
import { defineConfig } from 'rolldown'

/** Best effort: without the cache a start takes longer, and that is all. */
const codeCache = {
  name: 'code-cache',
  writeBundle() {
    const { status } = spawnSync(process.execPath, ['scripts/code-cache.js'], { stdio: 'inherit', timeout: 60_000 })
    if (status !== 0) this.warn('no code cache could be made; every start will compile the bundle')
  },
}

/**
 * Bundles `src` into one file in `dist`, whose compiled code is kept beside it: loading some three hundred files, or
 * compiling one of a megabyte, is what a start's time would mostly go by. Modules that are imported dynamically are still
 * run on first use only. It is CommonJS because V8 takes compiled code only for scripts.
 */
export default defineConfig({
  input: { main: 'src/cli/main.ts' },
  platform: 'node',
  external: [/^node:/, /^[^./]/],
  plugins: [codeCache],
  output: {
    dir: 'dist',
    format: 'cjs',
    codeSplitting: false,
    // Two folders below the package, like the sources, so that paths relative to a module hold in both.
    entryFileNames: 'cli/[name].cjs',
    sourcemap: true,
    cleanDir: true,
  },
})
