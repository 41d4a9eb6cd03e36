/** Members of share groups get their partitions with the second heartbeat: nobody waits seconds for that. */
export const quickShareGroups: Readonly<Record<string, string>> = {
  'group.share.heartbeat.interval.ms': '300',
  'group.share.min.heartbeat.interval.ms': '300',
  'group.share.assignment.interval.ms': '0',
  'group.share.min.record.lock.duration.ms': '1000',
}
