import { defineConfig } from 'vitest/config'

/** Real clients and Apache Kafka itself against Ottla. One file at a time: they start brokers and JVMs. */
export default defineConfig({
  test: {
    include: ['conformance/**/*.test.ts'],
    exclude: ['conformance/style/**'],
    globalSetup: ['conformance/harness/global-setup.ts'],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ['default', './scripts/closing-line.js'],
  },
})
