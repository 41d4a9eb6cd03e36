/** A change of the source, which is in the file once. */
export interface PlantedEdit {
  /** Below `src`. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

/**
 * A bug that is put into the code while a simulation is built from it, and nowhere else, to see whether the simulation
 * finds it.
 */
export interface PlantedBug {
  readonly name: string
  /** What is wrong then. */
  readonly what: string
  readonly edits: readonly PlantedEdit[]
}

function bug(name: string, what: string, file: string, find: string, replace: string): PlantedBug {
  return { name, what, edits: [{ file, find, replace }] }
}

// biome-ignore format: a catalogue reads best with the text as it is in the source
export const plantedBugs: readonly PlantedBug[] = [
  bug('skip-metadata-sync', 'the metadata log is not synced before its records count',
    'replication/raft/metadata-log.ts', 'await this.#active.sync()', 'await Promise.resolve()'),
  bug('forget-vote', 'a vote is not written down',
    'replication/raft/quorum.ts', 'votedId: voted?.id ?? -1,', 'votedId: -1,'),
  bug('unsynced-vote', 'a vote is written down, but not synced before it is told',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: so it stands in the source
    'replication/raft/quorum-state.ts', 'disk.replaceFile(`${directory}/${FILE_NAME}`, Buffer.from(JSON.stringify(data)))',
    `const path = directory + '/' + FILE_NAME
  const file = disk.open(path + '.tmp', 'create')
  file.truncate(0)
  file.writeSync([Buffer.from(JSON.stringify(data))], 0)
  file.close()
  disk.rename(path + '.tmp', path)`),
  {
    name: 'vote-for-stale-log',
    what: 'a voter grants its vote to one who lacks what it has',
    edits: [
      { file: 'replication/raft/core/elections.ts', find: 'return leaderId < 0 && isUpToDate', replace: 'return leaderId < 0' },
      { file: 'replication/raft/core/elections.ts', find: "role.hasFetched)) return false\n  return isUpToDate", replace: 'role.hasFetched)) return false\n  return true' },
    ],
  },
  bug('quorum-commits-alone', 'the leader of the quorum takes as committed what it alone has',
    'replication/raft/core/leader-state.ts', 'const { endOffset } = this.#byEnd()[Math.floor(this.#voters.size / 2)]!', 'const { endOffset } = this.#byEnd()[0]!'),
  bug('truncate-by-high-watermark', 'a follower cuts its log at its own high watermark, as before KIP-101',
    'replication/follower/answer-taker.ts', 'log.truncateTo(Number.MAX_SAFE_INTEGER,', 'log.truncateTo(log.highWatermark,'),
  bug('never-truncate', 'a follower keeps what its leader does not have',
    'replication/follower/append-answer.ts', 'own === undefined ? bound : Math.min(own.offset, bound)', 'log.logEndOffset'),
  bug('no-epoch-check', 'a leader does not look whether what its follower has is of the same epoch',
    'replication/fetch-reader.ts', 'if (spec.lastFetchedEpoch !== -1) {', 'if (spec.lastFetchedEpoch < -1) {'),
  bug('ack-before-replication', 'acks=all does not wait for the followers',
    'replication/partition.ts', 'if (acks === -1 && leading.isReplicated) await this.#replicated(info, leading, timeoutMs)', ''),
  {
    name: 'min-isr-unchecked',
    what: 'acks=all is answered with fewer replicas in sync than min.insync.replicas',
    edits: [
      { file: 'replication/partition.ts', find: 'if (acks === -1 && isr.length < leading.minIsr) {', replace: 'if (isr.length < 0) {' },
      { file: 'replication/leader-state.ts', find: 'if (state.isr.length < this.minIsr) return false', replace: '' },
    ],
  },
  bug('high-watermark-ignores-member', 'the high watermark does not wait for one of those in sync',
    'replication/leader-state.ts', `    for (const follower of this.#followers) {
      if (follower.logEndOffset >= target) continue`, `    for (const follower of this.#followers.slice(1)) {
      if (follower.logEndOffset >= target) continue`),
  bug('follower-knows-better', 'a follower takes as committed all that it has',
    'replication/partition.ts', 'const after = log.advanceHighWatermark(highWatermark)',
    'const after = log.advanceHighWatermark(Math.max(highWatermark, log.logEndOffset))'),
  bug('expand-isr-early', 'a follower joins those in sync before it has what is committed',
    'replication/leader-state.ts',
    'if (follower.logEndOffset < log.highWatermark || follower.logEndOffset < this.epochStartOffset) return', ''),
  bug('keep-fenced-in-isr', 'a broker that is fenced stays in sync',
    'controller/broker-changes.ts', 'return [...leave(context, brokerId), registrationChange(context, brokerId, 0, { fenced: 1 })]',
    'return [registrationChange(context, brokerId, 0, { fenced: 1 })]'),
  bug('elect-outside-isr', 'anybody who lives may lead',
    'controller/partition-change.ts', 'const isClean = (id: number) => (isr.length === 0 ? elr : isr).includes(id) && isAcceptable(id)',
    'const isClean = isAcceptable'),
  bug('trust-unclean-restart', 'a broker that comes back from a crash is taken to have all that it had',
    'controller/broker-changes.ts', `return change(context, { loses: brokerId }, ({ isr, elr }) => isr.includes(brokerId) || elr.includes(brokerId))`,
    'return []'),
  bug('producer-ids-again', 'a block of producer ids is given twice',
    'controller/allocate-producer-ids.ts', 'const firstProducerId = Math.max(0, head.nextProducerId)', 'const firstProducerId = 0'),
  bug('forget-producers', 'a restart forgets what producers wrote last',
    'log/loader.ts', 'const aborted = producers.apply(batch, REPLAY)', 'const aborted = batch.baseOffset < 0 ? producers.apply(batch, REPLAY) : undefined'),
  bug('abort-is-not-told', 'who reads what is committed is not told which transactions were aborted',
    'log/log-reads.ts', 'if (lastOffset >= offset && firstOffset < endOffset) found.push({ producerId, firstOffset })', ''),
  bug('read-what-is-open', 'who reads what is committed gets transactions that are open',
    'log/log-reads.ts', "return upTo === 'highWatermark' ? state.highWatermark : lastStableOffsetOf(state)", 'return state.highWatermark'),
  {
    name: 'nearby-uncommitted',
    what: 'a follower gives consumers of its rack what is not committed, and says that it is',
    edits: [
      { file: 'replication/fetch-reader.ts', find: 'const { upTo, isGivenBack } = params',
        replace: "const { isGivenBack } = params\n    const upTo = partition.isLeader ? params.upTo : 'logEnd'" },
      { file: 'replication/fetch-reader.ts', find: '...before,',
        replace: '...before,\n      ...(partition.isLeader || data.sizeBytes === 0 ? {} : { highWatermark: data.nextOffset }),' },
    ],
  },
  bug('nearby-hides-aborts', 'a follower does not tell consumers of its rack which transactions were aborted',
    'replication/fetch-reader.ts', 'abortedTransactions: data.abortedTransactions ?? null,',
    'abortedTransactions: partition.isLeader ? (data.abortedTransactions ?? null) : null,'),
  bug('compact-away-the-newest', 'compaction takes the newest value of a key, and leaves those before it',
    'log/cleaner/batch-filter.ts', 'return offset >= map.get(buffer, keyStart, keyStart + keyLength)',
    'return offset < map.get(buffer, keyStart, keyStart + keyLength)'),
  bug('unsynced-compaction', 'what is compacted takes the place of what was, and is not synced',
    'log/cleaner/clean-log.ts', 'await cleaned.sync()', 'await Promise.resolve()'),
  bug('coordinator-serves-unloaded', 'a coordinator answers before it has read what it is to know',
    'coordinator/runtime/shard-host.ts', "#state: 'loading' | 'active' | 'failed' | 'closed' = 'loading'",
    "#state: 'loading' | 'active' | 'failed' | 'closed' = 'active'"),
  bug('forget-who-waits', 'whoever waits for a coordinator that loses its partition is never answered',
    'coordinator/runtime/shard-host.ts', 'first?.settle(error)', ''),
  bug('failed-write-counts', 'what could not be written counts as written',
    'log/append-queue.ts', `        this.#fail(error)
        return
      }
      this.#written(count)`, `      }
      this.#written(count)`),
  bug('voter-is-not-removed', 'a voter that is removed stays one',
    'replication/raft/core/voter-changes.ts', 'appendControls([votersRecord(fewer)])', 'appendControls([votersRecord(voters)])'),
  bug('snapshot-keeps-what-was', 'what was known before a snapshot is still known after it',
    'metadata/loader.ts', 'this.image.clear()', ''),
  bug('same-for-all-members', 'every member of a classic group is given what the first one is to have',
    'coordinator/classic/sync.ts', 'assignments.get(member.id) ?? EMPTY_ASSIGNMENT', '[...assignments.values()][0] ?? EMPTY_ASSIGNMENT'),
]
