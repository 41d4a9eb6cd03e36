import { defineConfig } from 'rolldown'

/**
 * Bundles `src` into `dist`. Loading a few files instead of some three hundred is what a start's time mostly goes by;
 * what a command does not need (other commands, codecs) stays in chunks of its own, loaded on first use.
 */
export default defineConfig({
  input: { main: 'src/cli/main.ts' },
  platform: 'node',
  external: [/^node:/, /^[^./]/],
  output: {
    dir: 'dist',
    format: 'esm',
    // Two folders below the package, like the sources, so that paths relative to a module hold in both.
    entryFileNames: 'cli/[name].js',
    chunkFileNames: 'cli/[name].js',
    sourcemap: true,
    cleanDir: true,
  },
})
