#!/usr/bin/env node
import { existsSync } from 'node:fs'
import * as module from 'node:module'
import { setFlagsFromString } from 'node:v8'

// Compiled code is kept between runs where Node can (22.8 and later): it is a good part of a start's time.
module.enableCompileCache?.()

// The heap of a broker is small, the buffers that pass through it are not, and V8 counts them: left alone it collects the
// whole heap for every ten megabytes that come in. This costs some tens of megabytes and saves a third of the time.
setFlagsFromString('--heap-growing-percent=400')

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) {
  const { runProcess } = await import(main.href)
  await runProcess()
} else {
  process.stderr.write('ottla is not built yet. Run: npm ci && npm run build\n')
  process.exitCode = 1
}
