import { connect, type Socket } from 'node:net'

/**
 * A connection that sends whole frames as given and hands back whole frames: no request is looked into, so a test can
 * send any bytes. Frames are passed without their length.
 */
export class RawConnection {
  readonly socket: Socket
  private buffered: Buffer[] = []
  private bufferedBytes = 0
  private readonly ready: Buffer[] = []
  private readonly waiting: Array<{ resolve: (frame: Buffer) => void; reject: (error: Error) => void }> = []
  private failure: Error | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.onData(chunk))
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('connection closed')))
  }

  static open(host: string, port: number, timeoutMs = 5_000): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port })
      const timer = setTimeout(() => socket.destroy(new Error(`no connection in ${timeoutMs} ms`)), timeoutMs)
      socket.once('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.removeAllListeners('error')
        resolve(new RawConnection(socket))
      })
    })
  }

  /** True until the peer or `close` ended the connection. */
  get open(): boolean {
    return this.failure === undefined
  }

  /** Sends `frame` behind its length. */
  send(frame: Uint8Array): void {
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(frame.length)
    this.socket.cork()
    this.socket.write(length)
    this.socket.write(frame)
    this.socket.uncork()
  }

  /** The next frame; rejects when the connection ends first, or after `timeoutMs`. */
  receive(timeoutMs = 30_000): Promise<Buffer> {
    const frame = this.ready.shift()
    if (frame) return Promise.resolve(frame)
    if (this.failure) return Promise.reject(this.failure)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const at = this.waiting.indexOf(entry)
        if (at >= 0) this.waiting.splice(at, 1)
        reject(new Error(`no response in ${timeoutMs} ms`))
      }, timeoutMs)
      const entry = {
        resolve: (value: Buffer) => {
          clearTimeout(timer)
          resolve(value)
        },
        reject: (error: Error) => {
          clearTimeout(timer)
          reject(error)
        },
      }
      this.waiting.push(entry)
    })
  }

  async exchange(frame: Uint8Array, timeoutMs = 30_000): Promise<Buffer> {
    this.send(frame)
    return this.receive(timeoutMs)
  }

  close(): void {
    this.socket.destroy()
  }

  private onData(chunk: Buffer): void {
    this.buffered.push(chunk)
    this.bufferedBytes += chunk.length
    while (this.bufferedBytes >= 4) {
      const first = this.buffered[0]!
      const head = first.length >= 4 ? first : Buffer.concat(this.buffered)
      const needed = 4 + head.readInt32BE(0)
      if (this.bufferedBytes < needed) return
      const all = this.buffered.length === 1 ? first : Buffer.concat(this.buffered)
      this.buffered = all.length > needed ? [all.subarray(needed)] : []
      this.bufferedBytes = all.length - needed
      const frame = all.subarray(4, needed)
      const waiter = this.waiting.shift()
      if (waiter) waiter.resolve(frame)
      else this.ready.push(frame)
    }
  }

  private fail(error: Error): void {
    this.failure ??= error
    for (const waiter of this.waiting.splice(0)) waiter.reject(this.failure)
  }
}

/** One ApiVersions v0 exchange on a new connection: true when the broker answers it without an error. */
export async function answersApiVersions(host: string, port: number): Promise<boolean> {
  const connection = await RawConnection.open(host, port, 1_000)
  try {
    // api key 18, version 0, correlation id 1, null client id
    const response = await connection.exchange(Buffer.from([0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]), 2_000)
    return response.readInt32BE(0) === 1 && response.readInt16BE(4) === 0
  } finally {
    connection.close()
  }
}
