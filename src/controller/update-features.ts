import {
  CONTROLLER_REGISTRATION_LEVEL,
  ELIGIBLE_LEADER_REPLICAS,
  KRAFT_VERSION,
  METADATA_VERSION,
  supportedFeatures,
} from '../metadata/features.ts'
import { type MetadataRecord, metadataRecord } from '../metadata/records.ts'
import { ConfigResourceType, type SupportedFeature } from '../metadata/types.ts'
import type { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../protocol/messages/update-features.ts'
import { type Decision, type DecisionContext, OK, outcomeOf, Refusal } from './result.ts'
import { fixedMinIsr } from './topic-rules.ts'

/** How a level may be changed, by the numbers of UpdateFeatures. */
const UpgradeType = { upgrade: 1, safeDowngrade: 2, unsafeDowngrade: 3 } as const

/** Levels of metadata.version that changed the records: one cannot go back below any of them. */
const CHANGING_LEVELS = [7, 8, 11, 13, 14, 15, 17, 23, 30]
const ELR_NEEDS_LEVEL = 23
const MIN_ISR = 'min.insync.replicas'

type Update = UpdateFeaturesRequest['featureUpdates'][number]

/** The level of kraft.version, which the quorum keeps. */
export interface KraftLevel {
  readonly kraftVersion: number
  /** Answers whether all voters support it; with `isTrial`, nothing is done. */
  upgradeKraftVersion(isTrial: boolean): boolean
}

/** Decides an UpdateFeatures: all updates or none. */
export function updateFeatures(
  context: DecisionContext,
  request: UpdateFeaturesRequest,
  version: number,
  quorum: KraftLevel,
): Decision<UpdateFeaturesResponse> {
  const updates = [...new Map(request.featureUpdates.map((update) => [update.feature, update])).values()]
  const records: MetadataRecord[] = []
  const outcome = outcomeOf(() => {
    for (const update of updates) records.push(...featureRecords(context, update, updates, quorum))
    if (updates.some(({ feature, maxVersionLevel }) => feature === ELIGIBLE_LEADER_REPLICAS && maxVersionLevel > 0)) {
      records.unshift(...oneMinIsr(context))
    }
  })
  if (outcome !== OK) {
    const errorMessage = `The update failed for all features since the following feature had an error: ${outcome.errorMessage}`
    return { records: [], response: { throttleTimeMs: 0, errorCode: outcome.errorCode, errorMessage, results: [] } }
  }
  if (
    !request.validateOnly &&
    updates.some(({ feature, maxVersionLevel }) => feature === KRAFT_VERSION && maxVersionLevel > quorum.kraftVersion)
  ) {
    quorum.upgradeKraftVersion(false)
  }
  // Apache Kafka gives a success the name of the error that it is not, and each update one, be it the same feature's.
  const success = { errorCode: 0, errorMessage: 'NONE' }
  const results = version <= 1 ? request.featureUpdates.map(({ feature }) => ({ feature, ...success })) : []
  return { records: request.validateOnly ? [] : records, response: { throttleTimeMs: 0, ...OK, results } }
}

function featureRecords(
  context: DecisionContext,
  update: Update,
  updates: readonly Update[],
  quorum: KraftLevel,
): MetadataRecord[] {
  const { feature, maxVersionLevel: level, upgradeType } = update
  const refusal = (text: string) =>
    new Refusal('INVALID_UPDATE_VERSION', `Invalid update version ${level} for feature ${feature}. ${text}`)
  if (upgradeType < UpgradeType.upgrade || upgradeType > UpgradeType.unsafeDowngrade) {
    throw refusal('The controller does not support the given upgrade type.')
  }
  const current = feature === KRAFT_VERSION ? quorum.kraftVersion : context.head.featureLevel(feature)
  if (level < 0) throw refusal('A feature version cannot be less than 0.')
  const reason = reasonNotSupported(context, feature, level)
  if (reason !== undefined) throw refusal(reason)
  if (!supportedFeatures.some(({ name }) => name === feature)) throw refusal(`Feature ${feature} not found.`)
  if (level < current && upgradeType === UpgradeType.upgrade) {
    throw refusal(
      "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
    )
  }
  if (level > current && upgradeType !== UpgradeType.upgrade) throw refusal("Can't downgrade to a newer version.")
  if (feature === METADATA_VERSION) checkMetadataVersion(current, level, upgradeType)
  else if (feature === KRAFT_VERSION) {
    if (level === current) return []
    if (level < current) throw refusal("Can't downgrade the version of this feature.")
    if (quorum.upgradeKraftVersion(true)) return [metadataRecord('NoOp', {})]
    throw new Refusal(
      'INVALID_UPDATE_VERSION',
      `Invalid upgrade of ${KRAFT_VERSION} to ${level} because not all of the voters support it`,
    )
  } else if (feature === ELIGIBLE_LEADER_REPLICAS && level > 0) {
    const asked = updates.find((other) => other.feature === METADATA_VERSION)?.maxVersionLevel
    if ((asked ?? context.head.featureLevel(METADATA_VERSION)) < ELR_NEEDS_LEVEL) {
      throw refusal(`${feature} could not be set to ${level} because it depends on metadata.version level 23`)
    }
  }
  return [metadataRecord('FeatureLevel', { name: feature, featureLevel: level })]
}

/** Who is an eligible leader depends on min.insync.replicas, so that all brokers must have the same (KIP-966). */
function oneMinIsr({ head, config }: DecisionContext): MetadataRecord[] {
  const record = (resourceName: string, value: string | null) =>
    metadataRecord('Config', { resourceType: ConfigResourceType.broker, resourceName, name: MIN_ISR, value })
  const brokers = [...head.configs.resources(ConfigResourceType.broker)]
  const own = brokers.filter(([name, settings]) => name !== '' && settings.has(MIN_ISR))
  const isSet = head.configs.of(ConfigResourceType.broker, '').has(MIN_ISR)
  return [...(isSet ? [] : [record('', String(fixedMinIsr(config)))]), ...own.map(([name]) => record(name, null))]
}

/** Every node must understand what all of them are to use, and those of the quorum must have said so. */
function reasonNotSupported({ head, config, nodeId }: DecisionContext, feature: string, level: number) {
  const outside = (what: string, features: readonly SupportedFeature[]): string | undefined => {
    const range = features.find(({ name }) => name === feature)
    return outsideRange(what, level, range?.minSupportedVersion ?? 0, range?.maxSupportedVersion ?? 0)
  }
  const own = supportedFeatures.find(({ name }) => name === feature)
  const local = outsideRange(`Local controller ${nodeId}`, level, own?.minVersion ?? 0, own?.maxVersion ?? 0)
  if (local !== undefined) return local
  for (const { id, features } of head.brokers.values()) {
    const reason = outside(`Broker ${id}`, features)
    if (reason !== undefined) return reason
  }
  if (head.featureLevel(METADATA_VERSION) < CONTROLLER_REGISTRATION_LEVEL) return undefined
  for (const { id, features } of head.controllers.values()) {
    const reason = id === nodeId ? undefined : outside(`Controller ${id}`, features)
    if (reason !== undefined) return reason
  }
  const silent = config.quorumVoters.find(({ id }) => id !== nodeId && !head.controllers.has(id))
  return silent && `controller ${silent.id} has not registered, and may not support this feature`
}

function outsideRange(what: string, level: number, min: number, max: number): string | undefined {
  if (level >= min && level <= max) return undefined
  if (max === 0) return `${what} does not support this feature.`
  return `${what} only supports versions ${min === max ? min : `${min}-${max}`}`
}

function checkMetadataVersion(current: number, level: number, upgradeType: number): void {
  if (level >= current || !CHANGING_LEVELS.some((changing) => changing > level && changing <= current)) return
  const why =
    upgradeType === UpgradeType.unsafeDowngrade
      ? 'Unsafe metadata downgrade is not supported in this version.'
      : 'Refusing to perform the requested downgrade because it might delete metadata information.'
  throw new Refusal(
    'INVALID_UPDATE_VERSION',
    `Unsupported metadata.version downgrade from ${current} to ${level}. ${why}`,
  )
}
