// Property tests go the same way every time, so that a failure is somebody's change; OTTLA_SEED=random looks elsewhere,
// and OTTLA_SEED=N goes the way of a run that failed.
import fc from 'fast-check'

const asked = process.env.OTTLA_SEED ?? '1'
if (asked !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(asked) })
