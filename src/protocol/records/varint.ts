const TWO_28 = 0x1000_0000
const TWO_32 = 0x1_0000_0000
const TWO_63 = 0x8000_0000_0000_0000

/** The bytes of an int32 as a zigzag varint: 1 to 5. */
export function sizeOfVarint(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x20_0000) return 3
  return zigzag < TWO_28 ? 4 : 5
}

/** Writes an int32 as a zigzag varint and returns the position after it. The buffer must have room. */
export function writeVarint(buffer: Buffer, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  let position = at
  while (zigzag >= 0x80) {
    buffer[position++] = (zigzag & 0x7f) | 0x80
    zigzag >>>= 7
  }
  buffer[position++] = zigzag
  return position
}

/** The bytes of an int64 as a zigzag varint: 1 to 10. */
export function sizeOfVarlong(value: number): number {
  // One bit of the first byte goes to the sign, and there is one more negative number of each size than positive ones.
  let limit = 64
  let size = 1
  while (size < 10 && (value < 0 ? value < -limit : value >= limit)) {
    limit *= 128
    size++
  }
  return size
}

/** Writes an int64 as a zigzag varint and returns the position after it. Values past the range become its ends. */
export function writeVarlong(buffer: Buffer, at: number, value: number): number {
  if (value >= -TWO_28 && value < TWO_28) return writeVarint(buffer, at, value)
  let high = 0x7fff_ffff
  let low = -1
  if (value < -TWO_63) {
    high = -0x8000_0000
    low = 0
  } else if (value < TWO_63) {
    high = Math.floor(value / TWO_32)
    low = (value - high * TWO_32) | 0
  }
  const sign = high >> 31
  high = ((high << 1) | (low >>> 31)) ^ sign
  low = (low << 1) ^ sign
  let position = at
  while (high !== 0 || low >>> 0 >= 0x80) {
    buffer[position++] = (low & 0x7f) | 0x80
    low = (low >>> 7) | (high << 25)
    high >>>= 7
  }
  buffer[position++] = low
  return position
}
