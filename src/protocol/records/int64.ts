const TWO_32 = 0x1_0000_0000
const TWO_63 = 0x8000_0000_0000_0000

/** A big-endian int64 as a number: exact up to 2^53 either way, the nearest double beyond. */
export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * TWO_32 + buffer.readUInt32BE(at + 4)
}

/** Writes an integer as a big-endian int64. Values at or past either end of the range become that end. */
export function writeInt64(buffer: Buffer, at: number, value: number): void {
  if (value >= TWO_63) {
    buffer.writeInt32BE(0x7fff_ffff, at)
    buffer.writeUInt32BE(0xffff_ffff, at + 4)
  } else if (value < -TWO_63) {
    buffer.writeInt32BE(-0x8000_0000, at)
    buffer.writeUInt32BE(0, at + 4)
  } else {
    const high = Math.floor(value / TWO_32)
    buffer.writeInt32BE(high, at)
    buffer.writeUInt32BE(value - high * TWO_32, at + 4)
  }
}
