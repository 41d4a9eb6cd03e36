/**
 * Keeps V8's compiled code of the bundle for `bin/ottla.js`: starts a broker from it on a directory of its own, twice, as
 * a cache holds only functions that have run. Part of `npm run build`; leaves nothing behind but the cache.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const { codeCacheFile, loadBundle } = createRequire(import.meta.url)('../bin/bundle.js')
const { exports: cli, script } = loadBundle({ useCodeCache: false })
const data = mkdtempSync(join(tmpdir(), 'ottla-build-'))

/** Size, API key, version, correlation id, no client id; Metadata makes the topic that it names. */
const API_VERSIONS = '0000000a 0012 0000 00000001 ffff'
const METADATA = '00000015 0003 0004 00000002 ffff 00000001 0004 7761726d 01'
const REQUESTS = [API_VERSIONS, METADATA].map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex'))

async function ask(port) {
  const socket = connect(port, '127.0.0.1')
  for (const request of REQUESTS) {
    socket.write(request)
    await new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject))
  }
  socket.destroy()
}

async function runOnce() {
  let use
  const used = new Promise((resolve) => {
    use = resolve
  })
  const console = {
    environment: new Map(),
    out: (line) => {
      const port = /clients +\S+:([0-9]+)/.exec(line)?.[1]
      if (port !== undefined) use(ask(Number(port)).then(() => process.emit('SIGTERM', 'SIGTERM')))
    },
    err: (line) => process.stderr.write(`${line}\n`),
  }
  const code = await cli.run(['dev', '--port', '0', '--data', data], console)
  if (code !== 0) throw new Error(`dev ended with ${code}`)
  await used
}

try {
  await runOnce()
  await runOnce()
  writeFileSync(`${codeCacheFile}.tmp`, script.createCachedData())
  renameSync(`${codeCacheFile}.tmp`, codeCacheFile)
} finally {
  rmSync(data, { recursive: true, force: true })
}
process.exit(0)
