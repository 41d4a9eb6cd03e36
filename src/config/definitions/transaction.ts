import { boolean, int, internal, short } from '../setting.ts'
import { atLeast } from '../validators.ts'

/** Producers that are idempotent or transactional. */
// biome-ignore format: a table reads best with one setting in one place
export const transactionSettings = {
  'add.partitions.to.txn.retry.backoff.max.ms': int(100, atLeast(0), 'high', 'read-only', 'works',
    'Longest time spent retrying to add partitions to a transaction.'),
  'add.partitions.to.txn.retry.backoff.ms': int(20, atLeast(1), 'high', 'read-only', 'works',
    'Pause between two attempts to add partitions to a transaction.'),
  'producer.id.expiration.check.interval.ms': internal(int(600000, atLeast(1), 'low', 'read-only', 'works',
    'Time between two looks for producers that were idle too long.')),
  'producer.id.expiration.ms': int(86400000, atLeast(1), 'low', 'cluster-wide', 'works',
    'A partition forgets a producer that wrote nothing for this long.'),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': int(10000, atLeast(1), 'low', 'read-only', 'works',
    'Time between two looks for transactions that ran too long.'),
  'transaction.max.timeout.ms': int(900000, atLeast(1), 'high', 'read-only', 'works',
    'Longest transaction timeout that a producer may ask for.'),
  'transaction.partition.verification.enable': boolean(true, null, 'low', 'cluster-wide', 'works',
    'Whether a transactional write is checked against the transaction\'s partitions.'),
  'transaction.remove.expired.transaction.cleanup.interval.ms': int(3600000, atLeast(1), 'low', 'read-only', 'works',
    'Time between two looks for expired transactional ids.'),
  'transaction.state.log.load.buffer.size': int(5242880, atLeast(1), 'high', 'read-only', 'works',
    'Bytes read at a time when transaction state is loaded.'),
  'transaction.state.log.min.isr': int(2, atLeast(1), 'high', 'read-only', 'works',
    'min.insync.replicas of the transaction state topic.'),
  'transaction.state.log.num.partitions': int(50, atLeast(1), 'high', 'read-only', 'works',
    'Partitions of the transaction state topic; fixed once the topic exists.'),
  'transaction.state.log.replication.factor': short(3, atLeast(1), 'high', 'read-only', 'works',
    'Replicas of the transaction state topic.'),
  'transaction.state.log.segment.bytes': int(104857600, atLeast(1), 'high', 'read-only', 'works',
    'Largest size of one segment file of the transaction state topic.'),
  'transaction.two.phase.commit.enable': boolean(false, null, 'low', 'read-only', 'ignored',
    'Whether producers may ask for transactions that only they end.'),
  'transactional.id.expiration.ms': int(604800000, atLeast(1), 'high', 'read-only', 'works',
    'A transactional id unused for this long is forgotten.'),
} as const
