/** Long.MAX_VALUE and Long.MIN_VALUE as the `int64` fields carry them: the nearest doubles, which are written back exactly. */
export const INT64_MAX = 2 ** 63
export const INT64_MIN = -(2 ** 63)

/** Longest string the protocol carries, in bytes, in either encoding. */
export const MAX_STRING_BYTES = 0x7fff

/** Up to this many bytes an ASCII string is read and written in JavaScript: cheaper than a call out of the engine. */
export const SHORT_STRING_BYTES = 48
