/** How much of a failed test is told again at the end: enough to know it by, little enough that twenty fit a screen. */
const NAME_CHARACTERS = 110
const REASON_CHARACTERS = 170

/**
 * A vitest reporter that ends the run with one plain line for each test that failed, and one for all of them,
 * `N passed, N failed[, N skipped]`: what is left of a long log, by a script or a CI system, is mostly its end.
 */
export default class ClosingLine {
  onTestRunEnd(modules) {
    const count = { passed: 0, failed: 0, skipped: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result()
        if (state in count) count[state] += 1
        if (state === 'failed') tellFailed(test.name, errors)
      }
      if (module.state() === 'failed' && module.errors().length > 0) {
        count.failed += 1
        tellFailed(module.relativeModuleId, module.errors())
      }
    }
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : ''
    process.stdout.write(`${count.passed} passed, ${count.failed} failed${skipped}\n`)
  }
}

function tellFailed(name, errors) {
  const reason = errors?.[0]?.message ?? ''
  process.stdout.write(`failed: ${oneLine(name, NAME_CHARACTERS)}: ${oneLine(reason, REASON_CHARACTERS)}\n`)
}

function oneLine(text, characters) {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > characters ? `${line.slice(0, characters)}…` : line
}
