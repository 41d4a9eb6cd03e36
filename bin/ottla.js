#!/usr/bin/env node
import { existsSync } from 'node:fs'
import * as module from 'node:module'

// Compiled code is kept between runs where Node can (22.8 and later): it is a good part of a start's time.
module.enableCompileCache?.()

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) {
  const { runProcess } = await import(main.href)
  await runProcess()
} else {
  process.stderr.write('ottla is not built yet. Run: npm ci && npm run build\n')
  process.exitCode = 1
}
