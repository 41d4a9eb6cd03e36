import type { BrokerConfig } from '../config/broker-config.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Setting, SettingValue } from '../config/setting.ts'
import { brokerSettings } from '../config/settings.ts'
import { defaultOf, parseSetting } from '../config/values.ts'
import { ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { ConfigResourceType, type TopicImage } from '../metadata/types.ts'
import type { DecisionContext } from './result.ts'

/** What the partitions of one topic are changed by. */
export interface TopicRules {
  readonly head: MetadataImage
  /** The level of metadata.version. */
  readonly level: number
  /** Whether eligible leader replicas are kept (KIP-966). */
  readonly hasElr: boolean
  /** min.insync.replicas */
  readonly minIsr: number
  /** unclean.leader.election.enable. */
  readonly allowsUnclean: boolean
}

/**
 * The rules of each topic, from what is decided so far, committed or not. To be made anew for each decision: what holds
 * for all topics is read once.
 */
export function topicRules({ head, config, nodeId }: DecisionContext): (topic: TopicImage) => TopicRules {
  const layers = [
    head.configs.of(ConfigResourceType.broker, String(nodeId)),
    head.configs.of(ConfigResourceType.broker, ''),
    config.layers().fixed,
  ]
  const minIsr = valueIn('min.insync.replicas', layers) as number
  const allowsUnclean = valueIn('unclean.leader.election.enable', layers) as boolean
  const level = head.featureLevel(METADATA_VERSION)
  const hasElr = head.featureLevel(ELIGIBLE_LEADER_REPLICAS) > 0
  return (topic) => {
    const own = head.configs.of(ConfigResourceType.topic, topic.name)
    return {
      head,
      level,
      hasElr,
      minIsr: (parsed('min.insync.replicas', own) as number | undefined) ?? minIsr,
      allowsUnclean: (parsed('unclean.leader.election.enable', own) as boolean | undefined) ?? allowsUnclean,
    }
  }
}

/** min.insync.replicas as the config file has it. */
export function fixedMinIsr(config: BrokerConfig): number {
  return valueIn('min.insync.replicas', [config.layers().fixed]) as number
}

type Name = 'min.insync.replicas' | 'unclean.leader.election.enable'

function valueIn(name: Name, layers: readonly ReadonlyMap<string, string>[]): SettingValue {
  for (const layer of layers) {
    const value = parsed(name, layer)
    if (value !== undefined) return value
  }
  return defaultOf(name, brokerSettings[name] as Setting)
}

/** undefined also for a text that is no such value: nobody has checked what another version wrote. */
function parsed(name: Name, texts: ReadonlyMap<string, string>): SettingValue | undefined {
  const text = texts.get(name)
  if (text === undefined) return undefined
  try {
    return parseSetting<SettingValue>(name, brokerSettings[name], text)
  } catch (error) {
    if (error instanceof ConfigError) return undefined
    throw error
  }
}
