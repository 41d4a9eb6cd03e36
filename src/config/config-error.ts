/**
 * A value that a setting does not take, or values that do not go together. `error` names the protocol error with which a
 * request that carried them is answered; the message goes with it, in Apache Kafka's words.
 */
export class ConfigError extends Error {
  readonly error: 'INVALID_CONFIG' | 'INVALID_REQUEST'

  constructor(message: string, error: 'INVALID_CONFIG' | 'INVALID_REQUEST' = 'INVALID_CONFIG') {
    super(message)
    this.name = 'ConfigError'
    this.error = error
  }
}

/** `shown` is the value as the message prints it. */
export function invalidValue(name: string, shown: string, why: string): ConfigError {
  return new ConfigError(`Invalid value ${shown} for configuration ${name}: ${why}`)
}
