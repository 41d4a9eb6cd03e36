import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { cached, hashOf } from '../harness/cache.ts'
import { jars } from '../harness/maven.ts'
import { runOk } from '../harness/process.ts'

/** A field as Kafka's JSON defines it. */
export interface JsonField {
  readonly name: string
  readonly type: string
  readonly versions?: string
  readonly nullableVersions?: string
  readonly taggedVersions?: string
  readonly flexibleVersions?: string
  readonly tag?: number
  readonly default?: string | number | boolean | null
  readonly ignorable?: boolean
  readonly fields?: readonly JsonField[]
}

/** A message as Kafka's JSON defines it. */
export interface JsonMessage {
  readonly name: string
  readonly apiKey?: number
  readonly type: string
  readonly validVersions: string
  readonly flexibleVersions?: string
  readonly latestVersionUnstable?: boolean
  readonly listeners?: readonly string[]
  readonly fields?: readonly JsonField[]
  readonly commonStructs?: readonly JsonField[]
}

/** JSON with `//` comments, as the definitions are written; a `//` inside a string is left alone. */
function parseCommented(text: string): JsonMessage {
  return JSON.parse(text.replace(/"(?:\\.|[^"\\])*"|\/\/[^\n]*/g, (match) => (match.startsWith('"') ? match : '')))
}

function jsonFilesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Every definition in Kafka's own jars among `coordinates` and what they depend on, by name. */
export async function definitions(coordinates: readonly string[]): Promise<Map<string, JsonMessage>> {
  const kafkaJars = (await jars(coordinates)).filter((path) => basename(path).startsWith('kafka'))
  const dir = await cached(join('definitions', hashOf(coordinates)), async (building) => {
    for (const path of kafkaJars)
      await runOk('jar', ['--extract', '--file', path, 'common/', 'message/'], { cwd: building })
  })
  const found = jsonFilesBelow(dir).map((path) => parseCommented(readFileSync(path, 'utf8')))
  return new Map(found.map((definition) => [definition.name, definition]))
}
