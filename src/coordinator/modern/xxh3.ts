/**
 * XXH3, 64 bits, seed 0: the hash by which groups notice that their topics have changed (KIP-1101). Written with bigint:
 * a topic is hashed once for each change of it, which is too seldom for a faster and longer version to pay.
 */
const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee0' +
    '3590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e0' +
    '4bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d1' +
    '7ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
)
const MASK_32 = 0xffff_ffffn
const MASK_64 = 0xffff_ffff_ffff_ffffn
const PRIME_32_1 = 0x9e3779b1n
const PRIME_32_2 = 0x85ebca77n
const PRIME_32_3 = 0xc2b2ae3dn
const PRIME_64_1 = 0x9e3779b185ebca87n
const PRIME_64_2 = 0xc2b2ae3d27d4eb4fn
const PRIME_64_3 = 0x165667b19e3779f9n
const PRIME_64_4 = 0x85ebca77c2b2ae63n
const PRIME_64_5 = 0x27d4eb2f165667c5n
const PRIME_MX_1 = 0x165667919e3779f9n
const PRIME_MX_2 = 0x9fb21c651e98df25n
const STRIPE_BYTES = 64
const STRIPES_PER_BLOCK = (SECRET.length - STRIPE_BYTES) / 8
const BLOCK_BYTES = STRIPES_PER_BLOCK * STRIPE_BYTES

/** The hash as a signed number of 64 bits. */
export function xxh3(input: Buffer): bigint {
  return BigInt.asIntN(64, hash(input))
}

function hash(input: Buffer): bigint {
  const { length } = input
  if (length === 0) return avalanche64(secret(56) ^ secret(64))
  if (length <= 3) return hashTo3(input)
  if (length <= 8) return hashTo8(input)
  if (length <= 16) return hashTo16(input)
  if (length <= 128) return hashTo128(input)
  return length <= 240 ? hashTo240(input) : hashLong(input)
}

function secret(at: number): bigint {
  return SECRET.readBigUInt64LE(at)
}

function times(a: bigint, b: bigint): bigint {
  return (a * b) & MASK_64
}

/** Both halves of the product of 128 bits in one. */
function fold(a: bigint, b: bigint): bigint {
  const product = a * b
  return (product & MASK_64) ^ (product >> 64n)
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK_64
}

function avalanche(value: bigint): bigint {
  const mixed = times(value ^ (value >> 37n), PRIME_MX_1)
  return mixed ^ (mixed >> 32n)
}

function avalanche64(value: bigint): bigint {
  let mixed = times(value ^ (value >> 33n), PRIME_64_2)
  mixed = times(mixed ^ (mixed >> 29n), PRIME_64_3)
  return mixed ^ (mixed >> 32n)
}

function hashTo3(input: Buffer): bigint {
  const { length } = input
  const combined = ((input[0]! << 16) | (input[length >> 1]! << 24) | input[length - 1]! | (length << 8)) >>> 0
  return avalanche64(BigInt(combined) ^ BigInt((SECRET.readUInt32LE(0) ^ SECRET.readUInt32LE(4)) >>> 0))
}

function hashTo8(input: Buffer): bigint {
  const { length } = input
  const both = BigInt(input.readUInt32LE(length - 4)) + (BigInt(input.readUInt32LE(0)) << 32n)
  let mixed = both ^ secret(8) ^ secret(16)
  mixed ^= rotate(mixed, 49n) ^ rotate(mixed, 24n)
  mixed = times(mixed, PRIME_MX_2)
  mixed = times(mixed ^ ((mixed >> 35n) + BigInt(length)), PRIME_MX_2)
  return mixed ^ (mixed >> 28n)
}

function hashTo16(input: Buffer): bigint {
  const { length } = input
  const low = input.readBigUInt64LE(0) ^ secret(24) ^ secret(32)
  const high = input.readBigUInt64LE(length - 8) ^ secret(40) ^ secret(48)
  const swapped = Buffer.alloc(8)
  swapped.writeBigUInt64LE(low)
  return avalanche((BigInt(length) + swapped.readBigUInt64BE(0) + high + fold(low, high)) & MASK_64)
}

function mix16(input: Buffer, at: number, secretAt: number): bigint {
  return fold(input.readBigUInt64LE(at) ^ secret(secretAt), input.readBigUInt64LE(at + 8) ^ secret(secretAt + 8))
}

function hashTo128(input: Buffer): bigint {
  const { length } = input
  let sum = BigInt(length) * PRIME_64_1
  // 16 bytes from both ends, coming nearer: two for up to 32 bytes, eight for up to 128.
  for (let i = (length - 1) >> 5; i >= 0; i--) {
    sum += mix16(input, 16 * i, 32 * i)
    sum += mix16(input, length - 16 * (i + 1), 32 * i + 16)
  }
  return avalanche(sum & MASK_64)
}

function hashTo240(input: Buffer): bigint {
  const { length } = input
  let sum = BigInt(length) * PRIME_64_1
  for (let i = 0; i < 8; i++) sum += mix16(input, 16 * i, 16 * i)
  sum = avalanche(sum & MASK_64)
  for (let i = 8; i < length >> 4; i++) sum += mix16(input, 16 * i, 16 * (i - 8) + 3)
  return avalanche((sum + mix16(input, length - 16, 136 - 17)) & MASK_64)
}

function hashLong(input: Buffer): bigint {
  const { length } = input
  const lanes = [PRIME_32_3, PRIME_64_1, PRIME_64_2, PRIME_64_3, PRIME_64_4, PRIME_32_2, PRIME_64_5, PRIME_32_1]
  const lastBlock = Math.floor((length - 1) / BLOCK_BYTES) * BLOCK_BYTES
  for (let at = 0; at < lastBlock; at += BLOCK_BYTES) {
    for (let i = 0; i < STRIPES_PER_BLOCK; i++) accumulate(lanes, input, at + i * STRIPE_BYTES, 8 * i)
    scramble(lanes)
  }
  const stripes = Math.floor((length - 1 - lastBlock) / STRIPE_BYTES)
  for (let i = 0; i < stripes; i++) accumulate(lanes, input, lastBlock + i * STRIPE_BYTES, 8 * i)
  accumulate(lanes, input, length - STRIPE_BYTES, SECRET.length - STRIPE_BYTES - 7)
  let sum = BigInt(length) * PRIME_64_1
  for (let i = 0; i < 4; i++) {
    sum += fold(lanes[2 * i]! ^ secret(11 + 16 * i), lanes[2 * i + 1]! ^ secret(19 + 16 * i))
  }
  return avalanche(sum & MASK_64)
}

function accumulate(lanes: bigint[], input: Buffer, at: number, secretAt: number): void {
  for (let i = 0; i < 8; i++) {
    const data = input.readBigUInt64LE(at + 8 * i)
    const key = data ^ secret(secretAt + 8 * i)
    lanes[i ^ 1] = (lanes[i ^ 1]! + data) & MASK_64
    lanes[i] = (lanes[i]! + (key & MASK_32) * (key >> 32n)) & MASK_64
  }
}

function scramble(lanes: bigint[]): void {
  for (let i = 0; i < 8; i++) {
    const lane = lanes[i]!
    lanes[i] = times(lane ^ (lane >> 47n) ^ secret(SECRET.length - STRIPE_BYTES + 8 * i), PRIME_32_1)
  }
}
