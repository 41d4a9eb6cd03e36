/** Where the fields of a record batch (magic 2) lie, counted from the first byte of the batch. */
export const BASE_OFFSET_AT = 0
export const LENGTH_AT = 8
export const LEADER_EPOCH_AT = 12
export const MAGIC_AT = 16
export const CRC_AT = 17
/** The CRC-32C covers everything from here to the end of the batch. */
export const ATTRIBUTES_AT = 21
export const LAST_OFFSET_DELTA_AT = 23
export const BASE_TIMESTAMP_AT = 27
export const MAX_TIMESTAMP_AT = 35
export const PRODUCER_ID_AT = 43
export const PRODUCER_EPOCH_AT = 51
export const BASE_SEQUENCE_AT = 53
export const RECORD_COUNT_AT = 57
export const RECORDS_AT = 61

/** Offset and length: what precedes every batch and every message, and is not counted in the length field. */
export const LOG_OVERHEAD = 12
/** The shortest prefix from which the size and the format of a batch can be told. */
export const HEADER_UP_TO_MAGIC = MAGIC_AT + 1
/** The smallest body of any format: a v0 message with null key and null value. */
export const MIN_BODY_SIZE = 14

export const CODEC_MASK = 0x07
export const LOG_APPEND_TIME_FLAG = 0x08
export const TRANSACTIONAL_FLAG = 0x10
export const CONTROL_FLAG = 0x20
export const DELETE_HORIZON_FLAG = 0x40

/** The codec numbers of the attributes field. */
export const Codec = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
export type Codec = (typeof Codec)[keyof typeof Codec]

export const TimestampType = { createTime: 0, logAppendTime: 1 } as const
export type TimestampType = (typeof TimestampType)[keyof typeof TimestampType]

export const NO_TIMESTAMP = -1
export const NO_PRODUCER_ID = -1
export const NO_PRODUCER_EPOCH = -1
export const NO_SEQUENCE = -1
export const NO_LEADER_EPOCH = -1
