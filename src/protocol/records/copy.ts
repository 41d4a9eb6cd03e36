/** Below this a plain loop beats a call. */
const WORTH_A_CALL = 32

/** Copies `length` bytes from one buffer to another. Both must have them. */
export function copyLiteral(input: Uint8Array, from: number, output: Buffer, at: number, length: number): void {
  if (length > WORTH_A_CALL) {
    output.set(input.subarray(from, from + length), at)
    return
  }
  for (let i = 0; i < length; i++) output[at + i] = input[from + i]!
}

/** Copies `length` bytes within `output`, from `offset` back to `at`; where they overlap, the pattern repeats. */
export function copyMatch(output: Buffer, at: number, offset: number, length: number): void {
  const from = at - offset
  if (length > WORTH_A_CALL && offset >= length) {
    output.copyWithin(at, from, from + length)
    return
  }
  for (let i = 0; i < length; i++) output[at + i] = output[from + i]!
}
