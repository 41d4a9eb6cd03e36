import { expect, test } from 'vitest'
import { allMessages } from '../../src/protocol/all-messages.testkit.ts'
import { codecOf } from '../../src/protocol/codec.ts'
import { randomMessage } from '../../src/protocol/random-message.testkit.ts'
import { type FieldType, type Message, parseVersions } from '../../src/protocol/schema.ts'
import { Reader, Writer } from '../../src/protocol/wire.ts'
import { compileJava } from '../harness/java.ts'
import { clientCoordinates, kafkaCoordinates } from '../harness/maven.ts'
import { jvmFlags } from '../harness/oracle.ts'
import { runOk } from '../harness/process.ts'
import { definitions, type JsonMessage } from './definitions.ts'

/** Random messages per message and version. */
const ROUNDS = 24

interface Trip {
  readonly message: Message
  readonly version: number
  readonly value: unknown
  readonly bytes: Buffer
}

/** Kafka's JSON form of a message has no place for record data: those go straight from object to bytes. */
function hasRecords(type: FieldType): boolean {
  if (type.kind === 'array') return hasRecords(type.element)
  if (type.kind === 'struct') return Object.values(type.fields).some((field) => hasRecords(field.type))
  return type.kind === 'records'
}

function encode(message: Message, version: number, value: { [name: string]: unknown }): Buffer {
  const writer = new Writer()
  codecOf(message, version).write(writer, value)
  return writer.finishOne()
}

function tripsFor(known: Map<string, JsonMessage>): Trip[] {
  const trips: Trip[] = []
  for (const message of allMessages) {
    const definition = known.get(message.name)
    if (definition === undefined) continue
    const { low, high } = parseVersions(definition.validVersions)
    for (let version = low; version <= high; version++) {
      for (let seed = 0; seed < ROUNDS; seed++) {
        const value = randomMessage(message, version, seed * 997 + version)
        trips.push({ message, version, value, bytes: encode(message, version, value) })
      }
    }
  }
  return trips
}

function lineOf({ message, version, bytes }: Trip): string {
  const way = hasRecords({ kind: 'struct', fields: message.fields }) ? 'direct' : 'json'
  return `${message.name} ${version} ${way} ${bytes.toString('base64')}\n`
}

/** Sends every trip through Kafka's classes and names those that came back changed. */
async function changedByJava(coordinates: readonly string[], trips: readonly Trip[]): Promise<string[]> {
  const path = await compileJava('conformance/schemas/RoundTrip.java', coordinates)
  const stdin = Buffer.from(trips.map(lineOf).join(''))
  const stdout = await runOk('java', [...jvmFlags, '-Xmx256m', '-cp', path, 'RoundTrip'], { stdin, timeoutMs: 150_000 })
  const answers = stdout.trimEnd().split('\n')
  expect(answers.length).toBe(trips.length)
  return trips.flatMap((trip, i) => {
    const { message, version, value, bytes } = trip
    const answer = answers[i]!
    const where = `${message.name} v${version}`
    if (answer.startsWith('error')) return [`${where}: ${answer}`]
    const back = Buffer.from(answer, 'base64')
    if (!back.equals(bytes)) return [`${where}: sent ${bytes.toString('hex')}, got ${back.toString('hex')}`]
    expect(codecOf(message, version).read(new Reader(back)), where).toEqual(value)
    return []
  })
}

test('every message of Kafka 4.3.1 goes through its Java classes and comes back as the same bytes', async () => {
  const known = await definitions([...kafkaCoordinates, 'org.apache.kafka:kafka-storage:4.3.1:jar:sources'])
  const trips = tripsFor(known)
  expect(new Set(trips.map(({ message }) => message.name)).size).toBe(
    allMessages.filter(({ name }) => known.get(name)?.validVersions !== 'none').length,
  )
  expect(await changedByJava(kafkaCoordinates, trips)).toEqual([])
})

test('every version that Kafka 3.9.1 had and that was stable goes through its Java classes likewise', async () => {
  const coordinates = [...clientCoordinates('3.9.1'), 'com.fasterxml.jackson.core:jackson-databind:2.17.2']
  const known = await definitions(coordinates)
  const stable = new Map([...known].filter(([, definition]) => !isUnstable(known, definition)))
  expect(await changedByJava(coordinates, tripsFor(stable))).toEqual([])
})

/** 3.9 had the share group APIs as early access, in version 0s that 4.x changed or dropped; their requests say so. */
function isUnstable(known: Map<string, JsonMessage>, definition: JsonMessage): boolean {
  const request = known.get(definition.name.replace(/Response$/, 'Request'))
  return request?.latestVersionUnstable === true
}
