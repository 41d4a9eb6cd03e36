import { compile } from './compile.ts'
import { interpret } from './interpret.ts'
import { type InputOf, includesVersion, type Message, type MessageOf } from './schema.ts'
import { Reader, Writer } from './wire.ts'

/** Reads and writes one version of one message. */
export interface Codec<M extends Message> {
  /** Throws DecodeError for bytes that are not such a message. Does not look at what follows it. */
  read(reader: Reader): MessageOf<M>
  /**
   * Throws Error where the value cannot be expressed: a field set that this version lacks and that may not be dropped, null
   * in a field that cannot be null, a string over 32767 bytes.
   */
  write(writer: Writer, value: InputOf<M>): void
}

/** Whether this process may generate code (`node --disallow-code-generation-from-strings` forbids it). */
function mayGenerateCode(): boolean {
  try {
    return new Function('return true')() === true
  } catch {
    return false
  }
}

const build = mayGenerateCode() ? compile : interpret
const codecs = new WeakMap<Message, Codec<Message>[]>()

/** The codec for a version, made on first use. Throws RangeError for a version the message does not have. */
export function codecOf<M extends Message>(message: M, version: number): Codec<M> {
  let versions = codecs.get(message)
  if (versions === undefined) {
    versions = []
    codecs.set(message, versions)
  }
  let codec = versions[version]
  if (codec === undefined) {
    if (!Number.isInteger(version) || !includesVersion(message.versions, version)) {
      throw new RangeError(`${message.name} has no version ${version}`)
    }
    codec = build(message, version)
    versions[version] = codec
  }
  return codec as Codec<M>
}

/** Decodes a message that starts at the beginning of `buffer`. */
export function decode<M extends Message>(message: M, version: number, buffer: Buffer): MessageOf<M> {
  return codecOf(message, version).read(new Reader(buffer))
}

/** Encodes a message alone, without header or size. */
export function encode<M extends Message>(message: M, version: number, value: InputOf<M>): Buffer {
  const writer = new Writer()
  codecOf(message, version).write(writer, value)
  return writer.finishOne()
}
