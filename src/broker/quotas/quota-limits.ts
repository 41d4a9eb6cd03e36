import type { QuotaEntityImage } from '../../metadata/types.ts'

/** What a client may do, and with whom it shares that. */
export interface Limit {
  /** The same for all who share. */
  readonly key: string
  /** A second. */
  readonly bound: number
}

/** The default entity's name. */
const DEFAULT = null
const ABSENT = undefined

/** The limits of one kind of quota, by user, by client id, or by both (KIP-13, KIP-55). */
export class QuotaLimits {
  readonly #bounds: ReadonlyMap<string, number>

  constructor(entities: Iterable<QuotaEntityImage>, quota: string) {
    const bounds = new Map<string, number>()
    for (const { entity, values } of entities) {
      const bound = values.get(quota)
      if (bound === undefined) continue
      const nameOf = (type: string) => entity.find(({ entityType }) => entityType === type)?.entityName
      bounds.set(keyOf(nameOf('user'), nameOf('client-id')), bound)
    }
    this.#bounds = bounds
  }

  get isEmpty(): boolean {
    return this.#bounds.size === 0
  }

  /** The limit of the closest entity, as Apache Kafka ranks them; undefined where there is none. */
  of(user: string, clientId: string): Limit | undefined {
    return (
      this.#shared(user, clientId, user, clientId) ??
      this.#shared(user, DEFAULT, user, clientId) ??
      this.#shared(user, ABSENT, user, ABSENT) ??
      this.#shared(DEFAULT, clientId, user, clientId) ??
      this.#shared(DEFAULT, DEFAULT, user, clientId) ??
      this.#shared(DEFAULT, ABSENT, user, ABSENT) ??
      this.#shared(ABSENT, clientId, ABSENT, clientId) ??
      this.#shared(ABSENT, DEFAULT, ABSENT, clientId)
    )
  }

  /** The limit of an entity, shared by everybody of the same `user` and `clientId`. */
  #shared(
    ofUser: string | null | undefined,
    ofClient: string | null | undefined,
    user: string | undefined,
    clientId: string | undefined,
  ): Limit | undefined {
    const bound = this.#bounds.get(keyOf(ofUser, ofClient))
    return bound === undefined ? undefined : { key: keyOf(user, clientId), bound }
  }
}

function keyOf(user: string | null | undefined, clientId: string | null | undefined): string {
  return `${part(user)}\n${part(clientId)}`
}

function part(name: string | null | undefined): string {
  return name === undefined ? '' : name === null ? '*' : `=${name}`
}

/** The limits of new connections, by address. */
export class AddressLimits {
  readonly #bounds = new Map<string | null, number>()

  constructor(entities: Iterable<QuotaEntityImage>) {
    for (const { entity, values } of entities) {
      const bound = values.get('connection_creation_rate')
      const address = entity.find(({ entityType }) => entityType === 'ip')
      if (bound === undefined || address === undefined) continue
      const { entityName } = address
      this.#bounds.set(entityName === 'localhost' ? '127.0.0.1' : entityName, bound)
    }
  }

  get isEmpty(): boolean {
    return this.#bounds.size === 0
  }

  of(address: string): number | undefined {
    return this.#bounds.get(address) ?? this.#bounds.get(DEFAULT)
  }
}
