import { ConfigError } from './config-error.ts'

export interface HostPort {
  readonly host: string
  readonly port: number
}

export interface Voter extends HostPort {
  readonly id: number
}

const HOST_PORT = /^(?:[0-9a-zA-Z\-%._]*:\/\/)?\[?([0-9a-zA-Z\-%._:]*)\]?:([0-9]{1,10})$/

/** undefined where `text` is not host:port; an IPv6 host may stand in brackets. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = HOST_PORT.exec(text)
  return match === null ? undefined : { host: match[1]!, port: Number(match[2]) }
}

/** The entries of controller.quorum.bootstrap.servers. Throws ConfigError. */
export function parseBootstrapServers(entries: readonly string[]): HostPort[] {
  return entries.map((entry) => {
    const address = parseHostPort(entry)
    if (address !== undefined) return address
    throw new ConfigError(
      `Failed to parse host name from ${entry} for the configuration controller.quorum.bootstrap.servers. ` +
        'Each entry should be in the form "{host}:{port}"',
    )
  })
}

/** The entries of controller.quorum.voters. Throws ConfigError. */
export function parseVoters(entries: readonly string[]): Voter[] {
  const form = 'Each entry should be in the form `{id}@{host}:{port}`.'
  const voters = new Map<number, Voter>()
  for (const entry of entries) {
    const parts = entry.split('@')
    if (parts.length !== 2) {
      throw new ConfigError(`Invalid configuration value for controller.quorum.voters. ${form}`)
    }
    const [idText, addressText] = parts as [string, string]
    if (!/^[+-]?[0-9]{1,10}$/.test(idText)) {
      throw new ConfigError(`Failed to parse voter ID as an integer from ${idText}`)
    }
    const address = parseHostPort(addressText)
    if (address === undefined) {
      throw new ConfigError(
        `Failed to parse host name from entry ${entry} for the configuration controller.quorum.voters. ${form}`,
      )
    }
    voters.set(Number(idText), { id: Number(idText), ...address })
  }
  return [...voters.values()]
}
