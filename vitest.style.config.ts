import { defineConfig } from 'vitest/config'

/** The checks on the source tree itself: direction of imports, banned calls. Part of `npm run check`. */
export default defineConfig({
  test: { include: ['conformance/style/*.test.ts'] },
})
