import type { Time } from '../../platform/time.ts'
import type { ClassicContext } from '../classic/rebalancer.ts'
import type { GroupMetadataView } from '../modern/group-metadata-view.ts'

/** What the parts of the consumer protocol work with. */
export interface ConsumerContext extends ClassicContext {
  readonly topics: GroupMetadataView
  readonly time: Time
}
