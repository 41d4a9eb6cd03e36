import type { BrokerConfig } from '../config/broker-config.ts'
import { StartupError } from '../config/startup-error.ts'
import type { Policies } from '../controller/policies.ts'
import type { Platform } from '../platform/platform.ts'

const MODULE_NAME = /\.[cm]?js$/

/**
 * The policies of `create.topic.policy.class.name` and `alter.config.policy.class.name`. Java classes cannot be loaded here;
 * in their place stands the path of a JavaScript module that exports a function `validate(request)`, which throws an
 * Error for what it forbids. Rejects with StartupError for anything else: a policy must not be passed over in silence.
 */
export async function loadPolicies(config: BrokerConfig, platform: Platform): Promise<Policies> {
  return {
    createTopic: await loadPolicy(
      'create.topic.policy.class.name',
      config.get('create.topic.policy.class.name'),
      platform,
    ),
    alterConfig: await loadPolicy(
      'alter.config.policy.class.name',
      config.get('alter.config.policy.class.name'),
      platform,
    ),
  }
}

async function loadPolicy(setting: string, value: string | null, platform: Platform) {
  if (value === null || value === '') return undefined
  if (!MODULE_NAME.test(value) || platform.importModule === undefined) {
    throw new StartupError(`${setting}: ${value} is a Java class; a JavaScript module (a path ending in .js) is needed`)
  }
  let exported: Record<string, unknown>
  try {
    exported = await platform.importModule(value)
  } catch (error) {
    const [line] = String(error).split('\n')
    throw new StartupError(`${setting}: ${value} cannot be loaded: ${line}`)
  }
  const { validate } = exported
  if (typeof validate !== 'function') {
    throw new StartupError(`${setting}: ${value} exports no function named validate`)
  }
  return (request: unknown) => {
    const answer: unknown = validate(request)
    if (answer instanceof Promise) throw new Error(`the policy ${value} must answer at once, not with a promise`)
  }
}
