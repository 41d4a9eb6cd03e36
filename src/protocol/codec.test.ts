import { describe, expect, test } from 'vitest'
import { allMessages } from './all-messages.testkit.ts'
import { compile } from './compile.ts'
import { interpret } from './interpret.ts'
import { randomMessage } from './random-message.testkit.ts'
import type { Message } from './schema.ts'
import { Reader, Writer } from './wire.ts'

const ROUNDS = 4

function* versionsOf(message: Message) {
  for (let version = message.versions.low; version <= message.versions.high; version++) yield version
}

describe.each(allMessages.map((message) => [message.name, message] as const))('%s', (_name, message) => {
  test('reads back what it wrote, generated and interpreted alike', () => {
    for (const version of versionsOf(message)) {
      const codecs = [compile(message, version), interpret(message, version)]
      for (let seed = 0; seed < ROUNDS; seed++) {
        const value = randomMessage(message, version, seed * 1000 + version)
        const written = codecs.map((codec) => {
          const writer = new Writer(16)
          codec.write(writer, value)
          return writer.finishOne()
        })
        expect(written[1], `v${version}`).toEqual(written[0])
        for (const codec of codecs) {
          const reader = new Reader(written[0]!)
          expect(codec.read(reader), `v${version}`).toEqual(value)
          expect(reader.remaining).toBe(0)
        }
      }
    }
  })

  test('an empty object stands for all defaults', () => {
    for (const version of versionsOf(message)) {
      const outcomes = [compile(message, version), interpret(message, version)].map((codec) => {
        const writer = new Writer()
        try {
          codec.write(writer, {})
        } catch {
          return 'refused'
        }
        const bytes = writer.finishOne()
        return { bytes, value: codec.read(new Reader(bytes)) }
      })
      expect(outcomes[1], `v${version}`).toEqual(outcomes[0])
    }
  })
})
