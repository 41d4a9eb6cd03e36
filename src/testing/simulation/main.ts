/** What `npm run sim` is built from. */
export { failRun, simulate } from './simulate.ts'
