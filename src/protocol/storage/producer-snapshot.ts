import { array, type InputOf, int16, int32, int64, type MessageOf, message, uint32 } from '../schema.ts'

export const ProducerSnapshot = message('ProducerSnapshot', -1, '1', 'none', {
  crc: uint32,
  producerEntries: array({
    producerId: int64,
    epoch: int16,
    lastSequence: int32,
    lastOffset: int64,
    offsetDelta: int32,
    timestamp: int64,
    coordinatorEpoch: int32,
    currentTxnFirstOffset: int64,
  }),
})
export type ProducerSnapshot = MessageOf<typeof ProducerSnapshot>
export type ProducerSnapshotInput = InputOf<typeof ProducerSnapshot>
