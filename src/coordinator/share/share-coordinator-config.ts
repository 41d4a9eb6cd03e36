import type { BrokerConfig } from '../../config/broker-config.ts'

/** The settings of the share coordinator; see `share.coordinator.*`. Times in ms. */
export interface ShareCoordinatorConfig {
  /** share.coordinator.snapshot.update.records.per.snapshot */
  readonly updatesPerSnapshot: number
  /** share.coordinator.cold.partition.snapshot.interval.ms */
  readonly coldSnapshotIntervalMs: number
  /** share.coordinator.state.topic.prune.interval.ms */
  readonly pruneIntervalMs: number
  /** share.coordinator.write.timeout.ms */
  readonly writeTimeoutMs: number
  /** share.coordinator.append.linger.ms: -1 for as long as the write before takes. */
  readonly lingerMs: number
}

/** The settings in force when the broker starts: none of them can be changed while it runs. */
export function shareCoordinatorConfig(config: BrokerConfig): ShareCoordinatorConfig {
  return {
    updatesPerSnapshot: config.get('share.coordinator.snapshot.update.records.per.snapshot'),
    coldSnapshotIntervalMs: config.get('share.coordinator.cold.partition.snapshot.interval.ms'),
    pruneIntervalMs: config.get('share.coordinator.state.topic.prune.interval.ms'),
    writeTimeoutMs: config.get('share.coordinator.write.timeout.ms'),
    lingerMs: config.get('share.coordinator.append.linger.ms'),
  }
}
