/** The network, as the broker needs it: listeners and byte-stream connections, with back-pressure. */
export interface Network {
  /** Rejects with an Error with the system's code (EADDRINUSE, EADDRNOTAVAIL, EACCES...). Port 0 takes a free port. */
  listen(address: { host: string; port: number }, accept: (connection: Connection) => void): Promise<Listener>
  connect(address: { host: string; port: number }, handler: ConnectionHandler): Connection
}

export interface Listener {
  readonly host: string
  readonly port: number
  /** Stops accepting; open connections stay. */
  close(): Promise<void>
}

export interface ConnectionHandler {
  /** Bytes as they came. The buffer is the receiver's to keep: nobody writes to it again. */
  data(chunk: Buffer): void
  /**
   * Where the bytes that come next are to be put, at least one byte: who knows that a large message is on its way spares
   * itself gathering the pieces. `data` then gets a slice of it. Only a wish: a network may bring buffers of its own.
   */
  room?(): Buffer
  /** What was queued has been handed to the operating system. */
  drained(): void
  /** Called once, last. `error` says why if the connection did not end in order. */
  closed(error?: Error): void
  /** An outgoing connection is up. */
  connected?(): void
}

export interface Connection {
  readonly remoteAddress: string
  readonly remotePort: number
  /** To be called once, in the turn in which the connection is accepted. */
  handle(handler: ConnectionHandler): void
  /**
   * Queues the chunks, in order, without copying. Answers false when the caller should wait for `drained`. `taken` is
   * called when the chunks have been handed to the operating system and may be written to again; never, if the connection
   * ends before that, or if somebody may still read them.
   */
  write(chunks: readonly Buffer[], taken?: () => void): boolean
  /** Bytes queued and not yet handed to the operating system. */
  pendingBytes(): number
  pause(): void
  resume(): void
  /** Sends what is queued, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
}
