import { expect, test } from 'vitest'
import { errorOfCode } from '../protocol/errors.ts'
import { describeClientQuotas } from './client-quotas.ts'
import { ControllerWorld, contentsOf } from './controller.testkit.ts'

const user = (entityName: string | null) => ({ entityType: 'user', entityName })
const client = (entityName: string | null) => ({ entityType: 'client-id', entityName })
const rate = (value: number) => ({ key: 'producer_byte_rate', value, remove: false })
const noRate = { ...rate(0), remove: true }

async function open() {
  const world = new ControllerWorld()
  const controller = await world.open()
  const alter = async (entity: ReturnType<typeof user>[], ops: ReturnType<typeof rate>[], validateOnly = false) => {
    const { entries } = await controller.alterClientQuotas({ entries: [{ entity, ops }], validateOnly })
    return errorOfCode(entries[0]!.errorCode).name
  }
  return { world, controller, alter }
}

test('quotas outlive a restart, and removal leaves nothing (KIP-546)', async () => {
  const { world, controller, alter } = await open()
  expect(await alter([user('alice'), client(null)], [rate(1000)])).toBe('NONE')
  expect(await alter([client(null), user('alice')], [rate(2000)])).toBe('NONE')
  await controller.close()
  const again = await world.open()
  expect([...again.image.clientQuotas.values()]).toEqual([
    { entity: [client(null), user('alice')], values: new Map([['producer_byte_rate', 2000]]) },
  ])
  await again.alterClientQuotas({
    entries: [{ entity: [user('alice'), client(null)], ops: [noRate] }],
    validateOnly: false,
  })
  expect(again.image.clientQuotas.size).toBe(0)
})

test('validation only and the same value again write nothing', async () => {
  const { controller, alter } = await open()
  const before = contentsOf(controller.image)
  await alter([user('a')], [rate(5)], true)
  expect(contentsOf(controller.image)).toEqual(before)
  await alter([user('a')], [rate(5)])
  const offset = controller.quorum.nextOffset
  await alter([user('a')], [rate(5)])
  expect(controller.quorum.nextOffset).toBe(offset)
})

test.each(['127.0.0.1', '::1', 'fe80::1', 'localhost', null])('%s is an address', async (entityName) => {
  const { controller } = await open()
  const ops = [{ key: 'connection_creation_rate', value: 5, remove: false }]
  const entries = [{ entity: [{ entityType: 'ip', entityName }], ops }]
  const response = await controller.alterClientQuotas({ entries, validateOnly: false })
  expect(response.entries[0]).toMatchObject({ errorCode: 0 })
})

test.each(['127.0.0', '256.1.1.1', 'a b', '1::2::3'])('%s is no address', async (entityName) => {
  const { alter } = await open()
  expect(await alter([{ entityType: 'ip', entityName }], [])).toBe('INVALID_REQUEST')
})

test('a strict filter finds only entities of exactly these kinds', async () => {
  const { controller, alter } = await open()
  await alter([user('a')], [rate(1)])
  await alter([user('a'), client('x')], [rate(2)])
  const components = [{ entityType: 'user', matchType: 0, match: 'a' }]
  const found = (strict: boolean) => describeClientQuotas(controller.image, { components, strict }).entries?.length
  expect([found(false), found(true)]).toEqual([2, 1])
})
