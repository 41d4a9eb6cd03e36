import { int, javaClass, LONG_MAX, long } from '../setting.ts'
import { atLeast } from '../validators.ts'

/** Quotas. */
// biome-ignore format: a table reads best with one setting in one place
export const quotaSettings = {
  'alter.log.dirs.replication.quota.window.num': int(11, atLeast(1), 'low', 'read-only', 'works',
    'How many windows the quota of moves between log directories looks back on.'),
  'alter.log.dirs.replication.quota.window.size.seconds': int(1, atLeast(1), 'low', 'read-only', 'works',
    'Length of one window of the quota of moves between log directories.'),
  'client.quota.callback.class': javaClass(null, null, 'low', 'read-only', 'ignored',
    'Java class that computes client quotas; Java classes are never loaded here.'),
  'controller.quota.window.num': int(11, atLeast(1), 'low', 'read-only', 'works',
    'How many windows the quota of topic changes looks back on.'),
  'controller.quota.window.size.seconds': int(1, atLeast(1), 'low', 'read-only', 'works',
    'Length of one window of the quota of topic changes.'),
  'quota.window.num': int(11, atLeast(1), 'low', 'read-only', 'works',
    'How many windows client quotas look back on.'),
  'quota.window.size.seconds': int(1, atLeast(1), 'low', 'read-only', 'works',
    'Length of one window of client quotas.'),
  'replication.quota.window.num': int(11, atLeast(1), 'low', 'read-only', 'works',
    'How many windows the quota of replication looks back on.'),
  'replication.quota.window.size.seconds': int(1, atLeast(1), 'low', 'read-only', 'works',
    'Length of one window of the quota of replication.'),
} as const

/** Quotas that a config file cannot set: they exist as dynamic broker configs only. */
// biome-ignore format: a table reads best with one setting in one place
export const dynamicOnlySettings = {
  'follower.replication.throttled.rate': long(LONG_MAX, atLeast(0), 'medium', 'cluster-wide', 'works',
    'Most bytes each second that throttled replicas fetch; only by dynamic config.'),
  'leader.replication.throttled.rate': long(LONG_MAX, atLeast(0), 'medium', 'cluster-wide', 'works',
    'Most bytes each second served to throttled replicas; only by dynamic config.'),
  'replica.alter.log.dirs.io.max.bytes.per.second': long(LONG_MAX, atLeast(0), 'medium', 'cluster-wide', 'works',
    'Most bytes each second of moves between log directories; only by dynamic config.'),
} as const
