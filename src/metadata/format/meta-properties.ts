import { escapePropertyValue, parseProperties } from '../../config/properties.ts'
import { StartupError } from '../../config/startup-error.ts'
import { type Disk, diskErrorCode } from '../../platform/disk.ts'

const FILE_NAME = 'meta.properties'
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Whose a log directory is. */
export interface MetaProperties {
  readonly clusterId: string
  readonly nodeId: number
  /** Directories that were formatted before Apache Kafka 3.7 have none until they are given one. */
  readonly directoryId: string | undefined
}

export function metaPropertiesPath(directory: string): string {
  return `${directory}/${FILE_NAME}`
}

/** As Java writes dates: Thu Jan 01 00:00:00 UTC 1970. */
function javaDate(timeMs: number): string {
  const date = new Date(timeMs)
  const two = (number: number) => String(number).padStart(2, '0')
  const clock = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')
  const day = `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${two(date.getUTCDate())}`
  return `${day} ${clock} UTC ${date.getUTCFullYear()}`
}

/** The bytes that Apache Kafka writes for the same properties at the same time. */
export function encodeMetaProperties(properties: MetaProperties, nowMs: number): Buffer {
  const { directoryId, nodeId, clusterId } = properties
  const lines = [
    '#',
    `#${javaDate(nowMs)}`,
    `node.id=${nodeId}`,
    ...(directoryId === undefined ? [] : [`directory.id=${directoryId}`]),
    'version=1',
    `cluster.id=${escapePropertyValue(clusterId)}`,
  ]
  return Buffer.from(lines.map((line) => `${line}\n`).join(''))
}

/** Throws StartupError, which names `path`, for a text that no KRaft node wrote. */
export function decodeMetaProperties(path: string, text: string): MetaProperties {
  const values = parseProperties(text)
  const version = values.get('version') ?? '0'
  if (version !== '1') throw new StartupError(`${path} has version ${version}; only version 1 (KRaft) can be used`)
  const clusterId = values.get('cluster.id')
  if (clusterId === undefined || clusterId === '') throw new StartupError(`${path} holds no cluster.id`)
  const nodeId = values.get('node.id') ?? ''
  if (!/^[0-9]{1,10}$/.test(nodeId)) throw new StartupError(`${path} holds no valid node.id: '${nodeId}'`)
  const directoryId = values.get('directory.id')
  if (directoryId !== undefined && !/^[A-Za-z0-9_-]{22}$/.test(directoryId)) {
    throw new StartupError(`${path} holds no valid directory.id: '${directoryId}'`)
  }
  return { clusterId, nodeId: Number(nodeId), directoryId }
}

/** undefined for a directory that is missing or not formatted. Throws StartupError for one that cannot be read. */
export function readMetaProperties(disk: Disk, directory: string): MetaProperties | undefined {
  const path = metaPropertiesPath(directory)
  let text: string
  try {
    text = disk.readFile(path).toString('utf8')
  } catch (error) {
    const code = diskErrorCode(error)
    if (code === 'ENOENT') return undefined
    if (code === undefined) throw error
    throw new StartupError(`Cannot read ${path}: ${code}`)
  }
  return decodeMetaProperties(path, text)
}

export function writeMetaProperties(disk: Disk, directory: string, properties: MetaProperties, nowMs: number): void {
  disk.replaceFile(metaPropertiesPath(directory), encodeMetaProperties(properties, nowMs))
}
