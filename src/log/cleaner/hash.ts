/** The 128 bits of the hash computed last; one object for all, so that hashing makes none. */
export interface KeyHash {
  h1: number
  h2: number
  h3: number
  h4: number
}

const C1 = 0x239b961b
const C2 = 0xab0e9789 | 0
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93 | 0

/**
 * MurmurHash3 (x86, 128 bits) of `bytes[start, end)` from a seed, into `into`. Two keys that hash alike would be taken for
 * one: with 128 bits that is not to be expected among any number of keys that a disk holds.
 */
export function hashKey(bytes: Buffer, start: number, end: number, seed: number, into: KeyHash): void {
  let h1 = seed | 0
  let h2 = h1
  let h3 = h1
  let h4 = h1
  let at = start
  for (; at + 16 <= end; at += 16) {
    h1 ^= mixed(word(bytes, at), C1, 15, C2)
    h1 = (Math.imul(rotated(h1, 19) + h2, 5) + 0x561ccd1b) | 0
    h2 ^= mixed(word(bytes, at + 4), C2, 16, C3)
    h2 = (Math.imul(rotated(h2, 17) + h3, 5) + 0x0bcaa747) | 0
    h3 ^= mixed(word(bytes, at + 8), C3, 17, C4)
    h3 = (Math.imul(rotated(h3, 15) + h4, 5) + 0x96cd1c35) | 0
    h4 ^= mixed(word(bytes, at + 12), C4, 18, C1)
    h4 = (Math.imul(rotated(h4, 13) + h1, 5) + 0x32ac3b17) | 0
  }
  const rest = end - at
  if (rest > 12) h4 ^= mixed(partOf(bytes, at + 12, end), C4, 18, C1)
  if (rest > 8) h3 ^= mixed(partOf(bytes, at + 8, end), C3, 17, C4)
  if (rest > 4) h2 ^= mixed(partOf(bytes, at + 4, end), C2, 16, C3)
  if (rest > 0) h1 ^= mixed(partOf(bytes, at, end), C1, 15, C2)
  const length = end - start
  h1 ^= length
  h2 ^= length
  h3 ^= length
  h4 ^= length
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = finished(h2 + h1)
  h3 = finished(h3 + h1)
  h4 = finished(h4 + h1)
  h1 = (finished(h1) + h2 + h3 + h4) | 0
  into.h1 = h1
  into.h2 = (h2 + h1) | 0
  into.h3 = (h3 + h1) | 0
  into.h4 = (h4 + h1) | 0
}

function word(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** Up to four bytes, as far as there are. */
function partOf(bytes: Buffer, at: number, end: number): number {
  let value = 0
  for (let i = Math.min(end - at, 4) - 1; i >= 0; i--) value = (value << 8) | bytes[at + i]!
  return value
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function mixed(value: number, before: number, bits: number, after: number): number {
  return Math.imul(rotated(Math.imul(value, before), bits), after)
}

function finished(value: number): number {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
