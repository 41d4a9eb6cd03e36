import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { rolldown } from 'rolldown'

/*
 * npm run sim -- --seed N          one seed, with what happened in it
 * npm run sim -- --seeds A-B       many, of which those that fail are told
 * npm run sim -- --bug NAME        with a planted bug: until a seed finds it (--seeds says where to look)
 * npm run sim -- --bugs            every planted bug, one after the other
 * Further: --verbose (every message and change of a disk), --jobs N, --twice (every seed again: it must go the same way).
 */

/** How much of what happened is shown of a seed that fails among many. */
const TRACE_LINES = 40

const root = fileURLToPath(new URL('..', import.meta.url))
const simulation = 'src/testing/simulation'
const { values: options } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    bug: { type: 'string' },
    bugs: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    twice: { type: 'boolean', default: false },
    jobs: { type: 'string', default: String(availableParallelism()) },
    worker: { type: 'string' },
  },
})

/** One file of all modules, with the bug in it; answers where it is. */
async function bundle(entry, name, bug) {
  const planted = new Set()
  const plant = {
    name: 'plant-bug',
    transform(code, id) {
      let text = code
      for (const edit of bug?.edits ?? []) {
        if (!id.endsWith(`/src/${edit.file}`)) continue
        const parts = text.split(edit.find)
        if (parts.length !== 2) throw new Error(`${edit.file} has ${parts.length - 1} times: ${edit.find}`)
        text = parts.join(edit.replace)
        planted.add(edit)
      }
      return text === code ? null : text
    },
  }
  const build = await rolldown({
    input: { [name]: `${root}/${entry}` },
    platform: 'node',
    external: [/^node:/, /^[^./]/],
    plugins: [plant],
    logLevel: 'silent',
    cwd: root,
  })
  const dir = `${root}/build/sim`
  await build.write({ dir, format: 'esm', codeSplitting: false, entryFileNames: '[name].mjs', sourcemap: true })
  await build.close()
  if (planted.size !== (bug?.edits.length ?? 0)) throw new Error(`${bug.name}: not all of it is part of the simulation`)
  return pathToFileURL(`${dir}/${name}.mjs`).href
}

/** Where a planted bug is looked for, and what is run where nothing is said. */
const HUNTED_SEEDS = '1-200'
const SOME_SEEDS = '1-20'

function seedsOf(text) {
  const [first, last = first] = text.split('-').map(Number)
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

function howTo(seed, bug) {
  return `npm run sim -- --seed ${seed}${bug === undefined ? '' : ` --bug ${bug}`}`
}

/** What all seeds took, in this run of the command. */
let seedsCpuMs = 0

/** Hands seeds to workers until all are done or `isEnough` says so; answers the outcomes, by seed. */
function runSeeds(module, seeds, isEnough, onOutcome) {
  return new Promise((resolve, reject) => {
    const outcomes = []
    let next = 0
    let running = 0
    const give = (worker) => {
      if (next >= seeds.length || isEnough(outcomes)) {
        worker.disconnect()
        return
      }
      worker.seed = seeds[next++]
      worker.send({ seed: worker.seed, twice: options.twice })
    }
    const start = () => {
      const worker = fork(fileURLToPath(import.meta.url), ['--worker', module], { execArgv: ['--enable-source-maps'] })
      running++
      worker.on('message', (outcome) => {
        outcomes.push(outcome)
        onOutcome(outcome)
        seedsCpuMs += outcome.cpuMs
        worker.seed = undefined
        give(worker)
      })
      worker.on('exit', (code) => {
        if (worker.seed !== undefined) {
          const outcome = { seed: worker.seed, failure: `the process of the simulation ended with ${code}` }
          outcomes.push(outcome)
          onOutcome(outcome)
          if (next < seeds.length && !isEnough(outcomes)) start()
        }
        if (--running === 0) resolve(outcomes.sort((a, b) => a.seed - b.seed))
      })
      worker.on('error', reject)
      give(worker)
    }
    for (let count = Math.min(Number(options.jobs), seeds.length); count > 0; count--) start()
  })
}

/** Where a broker of its own would have ended, the run fails. */
async function load(module) {
  const { simulate, failRun } = await import(module)
  const onError = (error) => {
    if (!failRun(error)) throw error
  }
  process.on('unhandledRejection', onError)
  process.on('uncaughtException', onError)
  return simulate
}

async function work(module) {
  const simulate = await load(module)
  process.on('message', async ({ seed, twice }) => {
    const before = process.cpuUsage()
    const outcome = await simulate(seed)
    let { failure } = outcome
    if (twice) {
      const again = await simulate(seed)
      if (again.hash !== outcome.hash) failure ??= `went another way the second time: ${outcome.hash}, ${again.hash}`
    }
    const { user, system } = process.cpuUsage(before)
    const cpuMs = Math.round((user + system) / 1000)
    const trace = failure === undefined ? [] : outcome.trace.slice(-TRACE_LINES)
    process.send({ seed, failure, trace, cpuMs, acked: outcome.acknowledged })
  })
}

async function one(module, seed) {
  const simulate = await load(module)
  const outcome = await simulate(seed, { isVerbose: options.verbose })
  process.stdout.write(`${outcome.trace.join('\n')}\n`)
  const { hash, events, acknowledged, readRecords, nearbyAnswers, failure } = outcome
  process.stdout.write(`hash ${hash}, ${events} events, ${acknowledged} records acknowledged, ${readRecords} read\n`)
  if (nearbyAnswers > 0) process.stdout.write(`${nearbyAnswers} answers from followers in the rack of a consumer\n`)
  process.stdout.write(failure === undefined ? 'passed\n' : `FAILED: ${failure}\n`)
  process.exitCode = failure === undefined ? 0 : 1
}

async function many(module, seeds) {
  const outcomes = await runSeeds(
    module,
    seeds,
    () => false,
    ({ seed, failure, trace = [] }) => {
      if (failure === undefined) return
      process.stdout.write(`${trace.join('\n')}\nseed ${seed} FAILED: ${failure}\n  replay: ${howTo(seed)}\n`)
    },
  )
  const failed = outcomes.filter(({ failure }) => failure !== undefined)
  const acked = outcomes.reduce((sum, outcome) => sum + (outcome.acked ?? 0), 0)
  process.stdout.write(`${outcomes.length} seeds, ${failed.length} failed; ${acked} records acknowledged\n`)
  process.exitCode = failed.length === 0 ? 0 : 1
}

/** Whether a seed finds the bug. */
async function hunt(bug, seeds) {
  const module = await bundle(`${simulation}/main.ts`, `bug-${bug.name}`, bug)
  const isFailed = ({ failure }) => failure !== undefined
  const outcomes = await runSeeds(
    module,
    seeds,
    (all) => all.some(isFailed),
    () => {},
  )
  const found = outcomes.find(isFailed)
  const text =
    found === undefined
      ? `NOT FOUND by ${outcomes.length} seeds`
      : `found by seed ${found.seed} (${outcomes.length} run): ${found.failure.split('\n')[0]}\n  replay: ${howTo(found.seed, bug.name)}`
  process.stdout.write(`${bug.name}: ${text}\n`)
  return found !== undefined
}

async function main() {
  if (options.worker !== undefined) return await work(options.worker)
  const { plantedBugs } = await import(await bundle(`${simulation}/planted-bugs.ts`, 'planted-bugs'))
  const bug = plantedBugs.find(({ name }) => name === options.bug)
  if (options.bug !== undefined && bug === undefined) {
    throw new Error(`no bug is called ${options.bug}: ${plantedBugs.map(({ name }) => name).join(', ')}`)
  }
  if (options.bugs) {
    let isAll = true
    for (const each of plantedBugs) isAll = (await hunt(each, seedsOf(options.seeds ?? HUNTED_SEEDS))) && isAll
    process.exitCode = isAll ? 0 : 1
  } else if (options.seed !== undefined) {
    await one(await bundle(`${simulation}/main.ts`, bug ? `bug-${bug.name}` : 'plain', bug), Number(options.seed))
  } else if (bug !== undefined) {
    process.exitCode = (await hunt(bug, seedsOf(options.seeds ?? HUNTED_SEEDS))) ? 0 : 1
  } else await many(await bundle(`${simulation}/main.ts`, 'plain'), seedsOf(options.seeds ?? SOME_SEEDS))
}

/** With what it took to build the simulation. */
function tellCpu() {
  const { user, system } = process.cpuUsage()
  const seconds = (seedsCpuMs + (user + system) / 1000) / 1000
  process.stdout.write(`${seconds.toFixed(1)} s of CPU in total\n`)
}

await main()
if (options.worker === undefined && options.seed === undefined) tellCpu()
