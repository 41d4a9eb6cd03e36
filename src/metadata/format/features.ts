import { StartupError } from '../../config/startup-error.ts'

export const METADATA_VERSION = 'metadata.version'
export const KRAFT_VERSION = 'kraft.version'

/** The metadata version of Apache Kafka 4.3. */
export const LATEST_METADATA_VERSION = 30

/** Release and inner version of each metadata version, from level 7 on. */
const METADATA_VERSION_NAMES = [
  '3.3-IV3',
  '3.4-IV0',
  '3.5-IV0',
  '3.5-IV1',
  '3.5-IV2',
  '3.6-IV0',
  '3.6-IV1',
  '3.6-IV2',
  '3.7-IV0',
  '3.7-IV1',
  '3.7-IV2',
  '3.7-IV3',
  '3.7-IV4',
  '3.8-IV0',
  '3.9-IV0',
  '4.0-IV0',
  '4.0-IV1',
  '4.0-IV2',
  '4.0-IV3',
  '4.1-IV0',
  '4.1-IV1',
  '4.2-IV0',
  '4.2-IV1',
  '4.3-IV0',
]
const FIRST_METADATA_VERSION = 7

interface Feature {
  readonly name: string
  readonly maxLevel: number
  /** The metadata version from which a new cluster has the feature at its highest level. */
  readonly defaultFrom: number
  /** The metadata version that level 1 and above need. */
  readonly needs: number
}

/** Features besides metadata.version and kraft.version, in the order in which they are written. */
const FEATURES: readonly Feature[] = [
  { name: 'eligible.leader.replicas.version', maxLevel: 1, defaultFrom: 26, needs: 23 },
  { name: 'group.version', maxLevel: 1, defaultFrom: 22, needs: FIRST_METADATA_VERSION },
  { name: 'share.version', maxLevel: 1, defaultFrom: 28, needs: FIRST_METADATA_VERSION },
  { name: 'streams.version', maxLevel: 1, defaultFrom: 29, needs: FIRST_METADATA_VERSION },
  { name: 'transaction.version', maxLevel: 2, defaultFrom: 24, needs: FIRST_METADATA_VERSION },
]

/** '4.3-IV0' for 30. */
export function metadataVersionName(level: number): string {
  return METADATA_VERSION_NAMES[level - FIRST_METADATA_VERSION] ?? String(level)
}

/** The level of a release as --release-version names it: 4.3, 4.3.1 (the newest of 4.3) or 4.3-IV0. */
export function metadataVersionOf(release: string): number {
  const parts = release.split('.')
  const wanted = parts.length > 2 ? parts.slice(0, 2).join('.') : release
  const index = METADATA_VERSION_NAMES.findLastIndex((name) => name === wanted || name.split('-')[0] === wanted)
  if (index >= 0) return index + FIRST_METADATA_VERSION
  const known = METADATA_VERSION_NAMES.join(', ')
  throw new StartupError(`Unknown metadata.version '${release}'. Supported metadata.version are: ${known}`)
}

export interface FeatureChoice {
  /** A release, see `metadataVersionOf`; undefined is the latest. */
  readonly release?: string | undefined
  /** Levels that were asked for, by feature name. */
  readonly levels: ReadonlyMap<string, number>
  /** Whether the voters are in the metadata log, rather than fixed by controller.quorum.voters. */
  readonly dynamicQuorum: boolean
}

function chooseMetadataVersion({ release, levels }: FeatureChoice): number {
  const level = levels.get(METADATA_VERSION)
  if (level === undefined) return release === undefined ? LATEST_METADATA_VERSION : metadataVersionOf(release)
  if (release !== undefined) {
    throw new StartupError('Use --release-version instead of --feature metadata.version=X to avoid ambiguity.')
  }
  if (level >= FIRST_METADATA_VERSION && level <= LATEST_METADATA_VERSION) return level
  const range = `${FIRST_METADATA_VERSION} to ${LATEST_METADATA_VERSION}`
  throw new StartupError(`No metadata.version with feature level ${level}. Valid feature levels are from ${range}.`)
}

function chooseKraftVersion({ levels, dynamicQuorum }: FeatureChoice): number {
  const asked = levels.get(KRAFT_VERSION)
  if (asked === undefined) return dynamicQuorum ? 1 : 0
  if (asked < 0 || asked > 1) throw new StartupError(`No feature:kraft.version with feature level ${asked}`)
  if (asked === 0 && dynamicQuorum) {
    throw new StartupError(
      'Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, ' +
        '--initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing ' +
        'the --feature flag for kraft.version.',
    )
  }
  if (asked > 0 && !dynamicQuorum) {
    throw new StartupError(
      `Cannot set kraft.version to ${asked} unless controller.quorum.voters is empty and one of the flags ` +
        '--standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, ' +
        'try using one of --standalone, --initial-controllers, or --no-initial-controllers and removing ' +
        'controller.quorum.voters.',
    )
  }
  return asked
}

export interface FeatureLevels {
  readonly metadataVersion: number
  readonly kraftVersion: number
  /** What bootstrap.checkpoint holds: metadata.version first, then the others that are above 0, by name. */
  readonly records: readonly { readonly name: string; readonly level: number }[]
}

/** The levels with which a new cluster starts. Throws StartupError for a choice that cannot be made. */
export function chooseFeatureLevels(choice: FeatureChoice): FeatureLevels {
  const metadataVersion = chooseMetadataVersion(choice)
  const names = [KRAFT_VERSION, ...FEATURES.map((feature) => feature.name)].sort()
  for (const name of choice.levels.keys()) {
    if (name === METADATA_VERSION || names.includes(name)) continue
    throw new StartupError(`Unsupported feature: ${name}. Supported features are: ${names.join(', ')}`)
  }
  const kraftVersion = chooseKraftVersion(choice)
  const records = [{ name: METADATA_VERSION, level: metadataVersion }]
  for (const feature of FEATURES) {
    const fallback = metadataVersion >= feature.defaultFrom ? feature.maxLevel : 0
    const level = choice.levels.get(feature.name) ?? fallback
    if (level < 0 || level > feature.maxLevel) {
      throw new StartupError(`No feature:${feature.name} with feature level ${level}`)
    }
    if (level > 0 && metadataVersion < feature.needs) {
      throw new StartupError(
        `${feature.name} could not be set to ${level} because it depends on metadata.version level ${feature.needs}`,
      )
    }
    if (level > 0) records.push({ name: feature.name, level })
  }
  return { metadataVersion, kraftVersion, records }
}
