const { readFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { dirname, join } = require('node:path')
const { Script } = require('node:vm')

const directory = join(dirname(__dirname), 'dist', 'cli')
const file = join(directory, 'main.cjs')

/** Beside the bundle, and made with it (scripts/code-cache.js). */
const codeCacheFile = join(directory, 'main.cache')

const HEAD = Buffer.from('(function (exports, require, module, __filename, __dirname) { ')
const FOOT = Buffer.from('\n})')

function readIfThere(path) {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Apart from running it, so that the megabytes read are garbage by then, and in one piece: V8 keeps the whole source. */
function compile(useCodeCache) {
  const bytes = readIfThere(file)
  if (bytes === undefined) return undefined
  const cachedData = useCodeCache ? readIfThere(codeCacheFile) : undefined
  return new Script(Buffer.concat([HEAD, bytes, FOOT]).toString(), { filename: file, cachedData })
}

/**
 * Runs the bundle and answers what it exports, and the script it is; undefined when it has not been built.
 *
 * This is what `require` does, but that compiles the whole bundle at every start, which takes longer than all that a
 * start has to do. With the code cache it is only read. V8 refuses a cache that another version of it, another machine
 * or other flags made, and compiles then.
 */
function loadBundle({ useCodeCache = true } = {}) {
  const script = compile(useCodeCache)
  if (script === undefined) return undefined
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(file), module, file, directory)
  return { exports: module.exports, script }
}

module.exports = { codeCacheFile, loadBundle }
