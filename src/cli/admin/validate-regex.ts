import { RE2JS, RE2JSException } from 're2js'
import type { Result } from './command.ts'

/** Whether consumers can subscribe by a regular expression, which has the syntax of RE2. */
export function validateRegex(regex: string): Result {
  try {
    RE2JS.compile(regex)
    return { json: { regex, valid: true }, text: [`The regular expression ${regex} is valid.`] }
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    const reason = `the regular expression ${regex} is not valid: ${error.message}`
    return { json: { regex, valid: false }, text: [], errors: [reason] }
  }
}
