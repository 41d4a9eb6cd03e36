import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached, hashOf } from './cache.ts'
import { runOk } from './process.ts'

/** The version of Apache Kafka that everything is compared with. */
export const kafkaVersion = '4.3.1'

/** Apache Kafka's broker and tools. Kafka logs through slf4j and brings no binding: the simple one prints to stderr. */
export const kafkaCoordinates: readonly string[] = [
  `org.apache.kafka:kafka_2.13:${kafkaVersion}`,
  `org.apache.kafka:kafka-tools:${kafkaVersion}`,
  'org.slf4j:slf4j-simple:1.7.36',
]

/** The shell that looks into snapshots of the metadata. */
export const shellCoordinates: readonly string[] = [
  `org.apache.kafka:kafka-shell:${kafkaVersion}`,
  'org.slf4j:slf4j-simple:1.7.36',
]

/** Kafka Connect with its file connectors, and MirrorMaker 2. */
export const connectCoordinates: readonly string[] = [
  ...['connect-runtime', 'connect-file', 'connect-json', 'connect-mirror'].map(
    (artifact) => `org.apache.kafka:${artifact}:${kafkaVersion}`,
  ),
  'org.slf4j:slf4j-simple:1.7.36',
]

/** An older broker, for what Apache Kafka has dropped since. */
export function olderKafka(version: string): readonly string[] {
  return [`org.apache.kafka:kafka_2.13:${version}`, 'org.slf4j:slf4j-simple:1.7.36']
}

/** The Java clients that are tested: the newest, and the last of each older line. */
export const clientVersions: readonly string[] = [kafkaVersion, '3.9.1', '2.8.2', '1.1.1']

/** The Java client of one version. */
export function clientCoordinates(version: string): readonly string[] {
  return [`org.apache.kafka:kafka-clients:${version}`, 'org.slf4j:slf4j-simple:1.7.36']
}

/** The versions of Kafka Streams that are tested. */
export const streamsVersions: readonly string[] = [kafkaVersion, '3.9.1', '2.8.2']

/** Kafka Streams of one version, with RocksDB. */
export function streamsCoordinates(version: string): readonly string[] {
  return [`org.apache.kafka:kafka-streams:${version}`, 'org.slf4j:slf4j-simple:1.7.36']
}

/** Apache Flink with its mini cluster, and the connector made for it. */
export const flinkCoordinates: readonly string[] = [
  'org.apache.flink:flink-streaming-java:2.2.1',
  'org.apache.flink:flink-clients:2.2.1',
  'org.apache.flink:flink-connector-base:2.2.1',
  'org.apache.flink:flink-connector-kafka:5.0.0-2.2',
  'org.slf4j:slf4j-simple:1.7.36',
]

/** Apicurio Registry as it is distributed. Its dependencies are inside; what Maven would add is not needed. */
export const apicurioArchive = 'io.apicurio:apicurio-registry-app:3.0.9:tar.gz:all'

function pomOf(coordinates: readonly string[]): string {
  const dependencies = coordinates.map((coordinate) => {
    const [groupId, artifactId, version, type = 'jar', classifier] = coordinate.split(':')
    if (!groupId || !artifactId || !version)
      throw new Error(`not group:artifact:version[:type[:classifier]]: ${coordinate}`)
    const suffix = classifier ? `<classifier>${classifier}</classifier>` : ''
    return `<dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version><type>${type}</type>${suffix}</dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>ottla</groupId><artifactId>conformance</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>\n`
}

/**
 * The paths of the jars behind `coordinates` (`group:artifact:version[:type[:classifier]]`) and of all that they
 * depend on at run time. Resolved by Maven once per machine, then served from the cache.
 */
export async function jars(coordinates: readonly string[]): Promise<string[]> {
  const dir = await cached(join('jars', hashOf(coordinates)), async (building) => {
    writeFileSync(join(building, 'pom.xml'), pomOf(coordinates))
    const goal = ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=.']
    await runOk('mvn', goal, { cwd: building, timeoutMs: 900_000 })
  })
  return readdirSync(dir)
    .filter((name) => name.endsWith('.jar'))
    .sort()
    .map((name) => join(dir, name))
}

export async function classpath(coordinates: readonly string[]): Promise<string> {
  return (await jars(coordinates)).join(':')
}

/** The folder with the contents of one archive (`group:artifact:version:tar.gz:classifier`), without dependencies. */
export function unpacked(coordinate: string): Promise<string> {
  return cached(join('unpacked', hashOf([coordinate])), async (building) => {
    const goal = ['-q', '-B', 'dependency:copy', `-Dartifact=${coordinate}`, '-DoutputDirectory=.']
    await runOk('mvn', goal, { cwd: building, timeoutMs: 900_000 })
    const [archive] = readdirSync(building)
    await runOk('tar', ['xzf', archive!], { cwd: building })
    rmSync(join(building, archive!))
  })
}
