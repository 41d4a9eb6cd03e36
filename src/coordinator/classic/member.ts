import type { JoinGroupRequest, JoinGroupResponseInput } from '../../protocol/messages/join-group.ts'
import type { SyncGroupResponseInput } from '../../protocol/messages/sync-group.ts'

/** A protocol that a member supports, with what it has to say to the leader: its subscription. */
export interface MemberProtocol {
  readonly name: string
  readonly metadata: Buffer
}

export type JoinWaiter = (response: JoinGroupResponseInput) => void
export type SyncWaiter = (response: SyncGroupResponseInput) => void

export interface MemberIdentity {
  readonly id: string
  /** group.instance.id of a static member (KIP-345). */
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly protocolType: string
}

export const EMPTY_ASSIGNMENT = Buffer.alloc(0)

/** One member of a classic group. */
export class ClassicMember {
  readonly id: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly protocolType: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  /** In order of preference. */
  protocols: readonly MemberProtocol[]
  assignment: Buffer
  /** Set while its JoinGroup waits for the others. The group counts these: change it there. */
  joinWaiter: JoinWaiter | undefined
  /** Set while its SyncGroup waits for the leader. */
  syncWaiter: SyncWaiter | undefined
  /** From its first JoinGroup to the end of that rebalance; a new member that is silent for long is let go even then. */
  isNew = false

  constructor(
    identity: MemberIdentity,
    rebalanceTimeoutMs: number,
    sessionTimeoutMs: number,
    protocols: readonly MemberProtocol[],
    assignment: Buffer = EMPTY_ASSIGNMENT,
  ) {
    this.id = identity.id
    this.instanceId = identity.instanceId
    this.clientId = identity.clientId
    this.clientHost = identity.clientHost
    this.protocolType = identity.protocolType
    this.rebalanceTimeoutMs = rebalanceTimeoutMs
    this.sessionTimeoutMs = sessionTimeoutMs
    this.protocols = protocols
    this.assignment = assignment
  }

  get isStatic(): boolean {
    return this.instanceId !== null
  }

  /** A member that waits for us need not send heartbeats. */
  get hasSatisfiedHeartbeat(): boolean {
    return !this.isNew && (this.joinWaiter !== undefined || this.syncWaiter !== undefined)
  }

  /** What it says for `protocolName`; undefined where it does not support that. */
  metadataFor(protocolName: string): Buffer | undefined {
    return this.protocols.find((protocol) => protocol.name === protocolName)?.metadata
  }

  /** Whether a JoinGroup brings the same protocols, in the same order. */
  matches(protocols: readonly MemberProtocol[]): boolean {
    if (protocols.length !== this.protocols.length) return false
    return this.protocols.every(
      (own, i) => own.name === protocols[i]!.name && own.metadata.equals(protocols[i]!.metadata),
    )
  }

  /** The first of `candidates` in its own order of preference. */
  voteFor(candidates: ReadonlySet<string>): string | undefined {
    return this.protocols.find((protocol) => candidates.has(protocol.name))?.name
  }
}

/** The protocols of a request, copied out of its frame. */
export function protocolsOf(request: JoinGroupRequest): MemberProtocol[] {
  return request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }))
}
