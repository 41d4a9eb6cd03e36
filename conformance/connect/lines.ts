import { existsSync, readFileSync } from 'node:fs'
import type { Broker } from '../harness/broker.ts'
import { kcat } from '../harness/kcat.ts'

/** Lines that tell themselves apart. */
export function numbered(tag: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${tag} line ${index}`)
}

/** The complete lines of a file; none while there is no file. */
export function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []
}

/** A record as kcat prints it. */
export interface PrintedRecord {
  partition: number
  offset: number
  ts: number
  key: string | null
  payload: string | null
  headers?: string[] | undefined
}

/** All that a topic holds outside aborted transactions, each partition in its order. */
export async function topicRecords(broker: Broker, topic: string): Promise<PrintedRecord[]> {
  const args = ['-C', '-b', broker.bootstrap, '-t', topic, '-o', 'beginning', '-e', '-q', '-J']
  return parseRecords(await kcat([...args, '-X', 'isolation.level=read_committed', '-X', 'check.crcs=true']))
}

/** What kcat -J prints. */
export function parseRecords(output: string): PrintedRecord[] {
  const lines = output.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as PrintedRecord)
}

export async function topicValues(broker: Broker, topic: string): Promise<string[]> {
  return (await topicRecords(broker, topic)).map(({ payload }) => payload ?? '')
}
