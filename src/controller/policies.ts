import type { ConfigResource } from '../metadata/types.ts'
import { type DecisionContext, Refusal } from './result.ts'

/** What a policy for new topics is asked about. */
export interface NewTopicRequest {
  readonly topic: string
  /** null where the replicas are given one by one. */
  readonly numPartitions: number | null
  readonly replicationFactor: number | null
  /** Broker ids by partition; null where the broker places them. */
  readonly replicasAssignments: Readonly<Record<number, readonly number[]>> | null
  readonly configs: Readonly<Record<string, string>>
}

/** What a policy for changes of configs is asked about: the configs that get a new value. */
export interface AlterConfigRequest {
  readonly resource: ConfigResource
  readonly configs: Readonly<Record<string, string>>
}

/** What an operator may forbid (KIP-108, KIP-133): a policy refuses by throwing an Error, whose message is answered. */
export interface Policies {
  readonly createTopic?: ((request: NewTopicRequest) => void) | undefined
  readonly alterConfig?: ((request: AlterConfigRequest) => void) | undefined
}

/** Throws Refusal POLICY_VIOLATION. */
export function checkNewTopic({ policies }: DecisionContext, request: NewTopicRequest): void {
  ask(() => policies?.createTopic?.(request))
}

/** Throws Refusal POLICY_VIOLATION. */
export function checkAlteration(
  { policies }: DecisionContext,
  resource: ConfigResource,
  changes: readonly { readonly name: string; readonly value: string | null }[],
): void {
  if (policies?.alterConfig === undefined) return
  const configs: Record<string, string> = {}
  for (const { name, value } of changes) if (value !== null) configs[name] = value
  ask(() => policies.alterConfig?.({ resource, configs }))
}

function ask(policy: () => void): void {
  try {
    policy()
  } catch (error) {
    throw new Refusal('POLICY_VIOLATION', error instanceof Error ? error.message : String(error))
  }
}
