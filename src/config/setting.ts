/** What a parsed value may be. LONG is a bigint, so that no digit of a 64-bit number is lost. */
export type SettingValue = boolean | number | bigint | string | readonly string[] | null

export type SettingType = 'BOOLEAN' | 'STRING' | 'INT' | 'SHORT' | 'LONG' | 'DOUBLE' | 'LIST' | 'CLASS' | 'PASSWORD'
export type Importance = 'high' | 'medium' | 'low'

/**
 * Where a setting can be changed. 'per-broker' and 'cluster-wide' are dynamic broker configs, the latter also for all
 * brokers at once; 'resource' is a config of a topic, a group or a metrics subscription.
 */
export type Mutability = 'read-only' | 'per-broker' | 'cluster-wide' | 'resource'

/** Whether this broker does what the setting says. An ignored one is accepted, described, and logged when it is set. */
export type Effect = 'works' | 'ignored'

/** Throws a ConfigError where `value` is out of range. `allowed` says in one phrase what is in range. */
export interface Validator {
  readonly allowed: string
  /** Of a list: values that come twice are dropped before the check. */
  readonly dropsDuplicates?: boolean
  check(name: string, value: SettingValue): void
}

/** One row of the table. `V` is the type of its parsed value. */
export interface Setting<V extends SettingValue = SettingValue> {
  readonly type: SettingType
  /** undefined: there is none, it must be set. */
  readonly default: V | undefined
  readonly validator: Validator | null
  readonly importance: Importance
  readonly mutability: Mutability
  readonly effect: Effect
  readonly doc: string
  /** Left out of listings unless it is set. */
  readonly internal: boolean
}

/** The default of a setting that has none. */
export const REQUIRED: unique symbol = Symbol('required')
export const INT_MAX = 2147483647
export const LONG_MAX = 9223372036854775807n

type Default<T> = T | null | typeof REQUIRED
type Parsed<T extends SettingValue, D> = D extends null ? T | null : T
type Builder<T extends SettingValue> = <D extends Default<T>>(
  defaultValue: D,
  validator: Validator | null,
  importance: Importance,
  mutability: Mutability,
  effect: Effect,
  doc: string,
) => Setting<Parsed<T, D>>

function builder<T extends SettingValue>(type: SettingType): Builder<T> {
  return <D extends Default<T>>(
    defaultValue: D,
    validator: Validator | null,
    importance: Importance,
    mutability: Mutability,
    effect: Effect,
    doc: string,
  ) => ({
    type,
    default: (defaultValue === REQUIRED ? undefined : defaultValue) as Parsed<T, D> | undefined,
    validator,
    importance,
    mutability,
    effect,
    doc,
    internal: false,
  })
}

export const boolean = builder<boolean>('BOOLEAN')
export const string = builder<string>('STRING')
export const int = builder<number>('INT')
export const short = builder<number>('SHORT')
export const long = builder<bigint>('LONG')
export const double = builder<number>('DOUBLE')
export const list = builder<readonly string[]>('LIST')
/** The name of a Java class. It is kept and described, never loaded. */
export const javaClass = builder<string>('CLASS')
export const password = builder<string>('PASSWORD')

export function internal<V extends SettingValue>(setting: Setting<V>): Setting<V> {
  return { ...setting, internal: true }
}
