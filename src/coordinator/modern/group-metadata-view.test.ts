import { expect, test } from 'vitest'
import { MetadataImage } from '../../metadata/image.ts'
import { GroupMetadataView } from './group-metadata-view.ts'
import { addBroker, addTopic } from './image.testkit.ts'

test('KIP-1101: the hash of topics is that of Apache Kafka', () => {
  const image = new MetadataImage()
  const view = new GroupMetadataView(image)
  expect(view.hashOf(['gone'])).toBe(0n)
  addTopic(image, 'one', 3)
  addTopic(image, 'two', 1)
  expect(view.hashOf(['one', 'gone'])).toBe(3032960068723306086n)
  expect(view.hashOf(['two', 'one'])).toBe(8766468789172933744n)
})

test('KIP-1101: racks are part of the hash', () => {
  const image = new MetadataImage()
  addBroker(image, 'räck')
  addTopic(image, 'one', 3)
  addTopic(image, 'two', 1)
  const view = new GroupMetadataView(image)
  expect(view.hashOf(['one'])).toBe(-3983017093147283055n)
  expect(view.hashOf(['one', 'two'])).toBe(-1792962693471236741n)
})

test('a change is noticed, and new topics are told apart from others', () => {
  const image = new MetadataImage()
  const view = new GroupMetadataView(image)
  const one = addTopic(image, 'one', 1)
  expect([...view.onChange(image.takeDelta())]).toEqual([])
  const before = view.hashOf(['one'])
  const firstVersion = view.newTopicsVersion
  addTopic(image, 'one', 2)
  image.changes.partitionChanged(one.id, 1)
  expect([...view.onChange(image.takeDelta())]).toEqual(['one'])
  expect(view.hashOf(['one'])).not.toBe(before)
  expect(view.newTopicsVersion).toBe(firstVersion)
})
