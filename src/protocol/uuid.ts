/** The id of all zeros, which Kafka uses for "none", in the form Kafka prints ids: 22 characters of base64url. */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

const UUID_CHARS = 22
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const DIGITS = new Int8Array(128).fill(-1)
for (let i = 0; i < ALPHABET.length; i++) DIGITS[ALPHABET.charCodeAt(i)] = i

/**
 * Topic ids come by in every fetch and produce: the last ones seen are kept as strings, direct-mapped by their low bits,
 * which saves the conversion and gives equal ids one string, whose hash the engine computes once.
 */
const CACHE_SLOTS = 1024
const cachedWords = new Int32Array(CACHE_SLOTS * 4)
const cachedTexts: string[] = new Array(CACHE_SLOTS).fill(ZERO_UUID)

/** The 16 bytes at `at`, which must be there, as 22 characters. */
export function decodeUuid(buffer: Buffer, at: number): string {
  const a = buffer.readInt32BE(at)
  const b = buffer.readInt32BE(at + 4)
  const c = buffer.readInt32BE(at + 8)
  const d = buffer.readInt32BE(at + 12)
  const slot = (a ^ b ^ c ^ d ^ (d >>> 10)) & (CACHE_SLOTS - 1)
  const word = slot * 4
  const words = cachedWords
  if (words[word] === a && words[word + 1] === b && words[word + 2] === c && words[word + 3] === d) {
    return cachedTexts[slot]!
  }
  const text = buffer.toString('base64url', at, at + 16)
  words[word] = a
  words[word + 1] = b
  words[word + 2] = c
  words[word + 3] = d
  cachedTexts[slot] = text
  return text
}

/** Writes the 16 bytes of an id. Throws RangeError unless `text` is 22 characters of base64url. */
export function encodeUuidInto(text: string, buffer: Buffer, at: number): void {
  if (text.length !== UUID_CHARS) throw new RangeError(`not an id: ${text}`)
  let bits = 0
  let bitCount = 0
  let out = at
  let bad = 0
  for (let i = 0; i < UUID_CHARS; i++) {
    const digit = DIGITS[text.charCodeAt(i)] ?? -1
    bad |= digit
    bits = (bits << 6) | digit
    bitCount += 6
    if (bitCount >= 8) {
      bitCount -= 8
      buffer[out++] = bits >> bitCount
      bits &= (1 << bitCount) - 1
    }
  }
  if (bad < 0) throw new RangeError(`not an id: ${text}`)
}
