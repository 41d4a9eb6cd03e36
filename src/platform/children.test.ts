import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Child, nodeChildren, type ProcessEnd } from './children.ts'

let directory: string
let child: Child | undefined
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ottla-children-'))
})
afterEach(() => {
  child?.kill()
  rmSync(directory, { recursive: true, force: true })
})

/** Runs a script as a child to its end; `on` is told what it says. Answers that, its lines, and how it ended. */
function run(script: string, on: (what: string, child: Child) => void = () => {}) {
  const path = join(directory, 'child.cjs')
  writeFileSync(path, script)
  const lines: string[] = []
  const said: string[] = []
  return new Promise<{ lines: string[]; said: string[]; end: ProcessEnd }>((resolve) => {
    const hear = (what: string) => () => {
      said.push(what)
      on(what, child!)
    }
    const environment = new Map([['GREETING', 'hello']])
    child = nodeChildren(path).start(['one', 'two'], environment, {
      line: (text) => lines.push(text),
      ready: hear('ready'),
      prepared: hear('prepared'),
      ended: (end) => resolve({ lines: lines.sort(), said, end }),
    })
  })
}

describe('a process that is started', () => {
  test('has its arguments and environment; all its lines come before its end', async () => {
    const script = `
      console.log(process.argv.slice(2).join(), process.env.GREETING, process.env.HOME)
      process.stderr.write('no line feed')
      process.exitCode = 3`
    expect(await run(script)).toEqual({
      lines: ['no line feed', 'one,two hello undefined'],
      said: [],
      end: { code: 3, signal: null },
    })
  })

  test('says that it is ready, is told to prepare and to stop, and says when it is prepared', async () => {
    const script = `
      process.on('message', (message) => {
        console.log(message)
        if (message === 'prepare') process.send('prepared')
        if (message === 'stop') process.disconnect()
      })
      process.send('ready')`
    const { lines, said, end } = await run(script, (what, child) => (what === 'ready' ? child.prepare() : child.stop()))
    expect([lines, said, end.code]).toEqual([['prepare', 'stop'], ['ready', 'prepared'], 0])
    // Nobody is there any more.
    child!.stop()
  })

  test('can be killed', async () => {
    const script = `setInterval(() => {}, 1000); process.send('ready')`
    expect((await run(script, (_what, child) => child.kill())).end).toEqual({ code: null, signal: 'SIGKILL' })
  })
})
