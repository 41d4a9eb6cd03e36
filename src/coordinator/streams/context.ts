import type { Logger } from '../../platform/logger.ts'
import type { Time } from '../../platform/time.ts'
import type { StreamsGroupConfig } from '../group-config.ts'
import type { GroupStore } from '../group-store.ts'
import type { GroupMetadataView } from '../modern/group-metadata-view.ts'
import type { Timers } from '../runtime/timers.ts'

/** What the parts of the streams protocol work with. */
export interface StreamsContext {
  readonly groups: GroupStore
  readonly topics: GroupMetadataView
  readonly config: StreamsGroupConfig
  readonly timers: Timers
  readonly time: Time
  readonly logger: Logger
}
