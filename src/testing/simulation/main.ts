import { simulate } from './simulate.ts'

export { simulate }
