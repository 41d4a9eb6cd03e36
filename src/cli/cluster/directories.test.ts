import { beforeEach, expect, test } from 'vitest'
import { readMetaProperties } from '../../metadata/format/meta-properties.ts'
import { MemoryDisk } from '../../platform/memory-disk.ts'
import { nodePlatform } from '../../platform/node-platform.ts'
import type { Platform } from '../../platform/platform.ts'
import { knownNodes, prepareDirectories } from './directories.ts'
import { type NodePlan, planCluster } from './plan.ts'

let platform: Platform
beforeEach(() => {
  platform = { ...nodePlatform(), disk: new MemoryDisk() }
})

function plan(brokers: number, settings: Record<string, string> = {}): NodePlan[] {
  const options = { brokers, port: undefined, directory: '/c', settings: new Map(Object.entries(settings)) }
  return planCluster(options, knownNodes(platform.disk, '/c'))
}

function prepare(nodes: readonly NodePlan[], clusterId?: string): string {
  return prepareDirectories(platform, '/c', nodes, knownNodes(platform.disk, '/c').length > 0, clusterId)
}

const owner = (id: number) => readMetaProperties(platform.disk, `/c/node-${id}`)

test('a new cluster has one id and one set of voters, and is found again with its settings of this time', () => {
  const nodes = plan(4, { 'log.retention.ms': '5' })
  const id = prepare(nodes, 'mine')
  expect(id).toBe('mine')
  expect([1, 2, 3, 4].map((node) => owner(node))).toEqual(
    [1, 2, 3, 4].map((nodeId) => expect.objectContaining({ clusterId: 'mine', nodeId })),
  )
  const checkpoint = '__cluster_metadata-0/00000000000000000000-0000000000.checkpoint'
  const voters = [1, 2, 3, 4].map((node) => platform.disk.exists(`/c/node-${node}/${checkpoint}`))
  expect(voters).toEqual([true, true, true, false])
  const [one, two] = [1, 2].map((node) => platform.disk.readFile(`/c/node-${node}/${checkpoint}`).toString('latin1'))
  for (const text of [one!, two!]) {
    for (const node of [1, 2, 3]) {
      const bytes = Buffer.from(owner(node)!.directoryId!, 'base64url').toString('latin1')
      expect(text.includes(bytes)).toBe(true)
    }
  }
  expect(knownNodes(platform.disk, '/c')).toEqual(
    nodes.map(({ id, port, controllerPort }) => ({ id, port, controllerPort })),
  )
  const before = [1, 2, 3, 4].map((node) => owner(node))
  expect(prepare(plan(4))).toBe('mine')
  expect([1, 2, 3, 4].map((node) => owner(node))).toEqual(before)
  expect(platform.disk.readFile('/c/node-1.properties').toString()).not.toContain('log.retention.ms')
})

test('a node more is formatted for the same cluster', () => {
  const id = prepare(plan(1))
  expect(prepare(plan(2))).toBe(id)
  expect(owner(2)).toMatchObject({ clusterId: id, nodeId: 2 })
})

test('a node whose directory is lost is formatted for the same cluster, whichever it is', () => {
  for (const lost of [1, 2]) {
    platform = { ...nodePlatform(), disk: new MemoryDisk() }
    const id = prepare(plan(2))
    platform.disk.remove(`/c/node-${lost}/meta.properties`)
    expect(prepare(plan(2))).toBe(id)
    expect(owner(lost)).toMatchObject({ clusterId: id, nodeId: lost })
  }
})

test('directories of another cluster, and some that nothing is known of, are left alone', () => {
  prepare(plan(3), 'mine')
  expect(() => prepare(plan(3), 'other')).toThrow('Expected other, but read mine')
  const before = platform.disk.readFile('/c/node-2/meta.properties')
  for (const node of [1, 2, 3]) platform.disk.remove(`/c/node-${node}.properties`)
  expect(() => prepare(plan(3))).toThrow('is missing: it is not taken for a new cluster')
  expect(platform.disk.readFile('/c/node-2/meta.properties')).toEqual(before)
})

test('values are written so that they are read again as they were', () => {
  const value = ' a\\b\tc=d:e#f\n'
  prepare(plan(1, { 'a.setting': value }))
  const text = platform.disk.readFile('/c/node-1.properties').toString()
  expect(text).toContain('a.setting=\\ a\\\\b\\tc=d:e#f\\n\n')
})

test('a configuration file that describes another node is not ours', () => {
  prepare(plan(2))
  const file = platform.disk.readFile('/c/node-1.properties')
  platform.disk.replaceFile('/c/node-2.properties', file)
  expect(() => knownNodes(platform.disk, '/c')).toThrow('does not describe node 2')
})
