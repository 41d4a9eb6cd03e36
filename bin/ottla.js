#!/usr/bin/env node
const { loadBundle } = require('./bundle.js')

/** The flag matters once there is load; what it takes to set it need not hold up the start. */
const FLAGS_AFTER_MS = 1000

// The heap of a broker is small, the buffers that pass through it are not, and V8 counts them: left alone it collects the
// whole heap for every ten megabytes that come in. This costs some tens of megabytes and saves a third of the time.
setTimeout(() => require('node:v8').setFlagsFromString('--heap-growing-percent=400'), FLAGS_AFTER_MS).unref()

const bundle = loadBundle()
if (bundle !== undefined) {
  bundle.exports.runProcess()
} else {
  process.stderr.write('ottla is not built yet. Run: npm ci && npm run build\n')
  process.exitCode = 1
}
