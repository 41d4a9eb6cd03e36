import { defineConfig } from 'vitest/config'

/** How many files at a time: they start brokers and JVMs, but wait for them most of the time. */
const WORKERS = 2

/** Real clients and Apache Kafka itself against Ottla. */
export default defineConfig({
  test: {
    include: ['conformance/**/*.test.ts'],
    exclude: ['conformance/style/**'],
    globalSetup: ['conformance/harness/global-setup.ts'],
    maxWorkers: Number(process.env.OTTLA_CONFORMANCE_WORKERS ?? WORKERS),
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ['default', './scripts/closing-line.js'],
  },
})
