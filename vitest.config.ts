import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts'],
    setupFiles: ['./scripts/property-seed.js'],
    // For a machine that does much else at the same time; no test waits for time to pass.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    reporters: ['default', './scripts/closing-line.js'],
  },
})
