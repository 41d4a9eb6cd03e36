import { describe, expect, it } from 'vitest'
import { errors } from '../protocol/errors.ts'
import type { ControllerLink } from '../replication/channel/controller-link.ts'
import { ProducerIds } from './producer-ids.ts'

interface Answer {
  readonly errorCode?: number
  readonly producerIdStart?: number
  readonly producerIdLen?: number
}

/** `answers`, one after the other; blocks of three ids where they end. */
function idsFrom(answers: (Answer | Error | Promise<Answer>)[] = []) {
  const asked: unknown[] = []
  let blocks = 1
  const nextStart = () => 100 * ++blocks
  const request = async (_: unknown, body: (version: number) => unknown) => {
    asked.push(body(0))
    const answer = await (answers.shift() ?? { producerIdStart: nextStart(), producerIdLen: 3 })
    if (answer instanceof Error) throw answer
    return { version: 0, response: { errorCode: 0, producerIdStart: -1, producerIdLen: 0, ...answer } }
  }
  const link = { request } as unknown as ControllerLink
  return { ids: new ProducerIds({ link, nodeId: 7, brokerEpoch: () => 42 }), asked }
}

describe('ids of producers', () => {
  it('gives each id once, however many ask at the same time', async () => {
    const { ids, asked } = idsFrom()
    const taken = await Promise.all(Array.from({ length: 20 }, () => ids.take()))
    expect(new Set(taken).size).toBe(20)
    expect(asked.length).toBeLessThanOrEqual(8)
    expect(asked[0]).toEqual({ brokerId: 7, brokerEpoch: 42 })
  })

  it('asks again after a failure', async () => {
    const { ids } = idsFrom([new Error('no controller'), { producerIdStart: 5, producerIdLen: 1 }])
    await expect(Promise.all([ids.take(), ids.take()])).rejects.toThrow('no controller')
    expect(await ids.take()).toBe(5)
  })

  it('fetches the next block while a tenth of the current one is left', async () => {
    let give = (_: Answer) => {}
    const later = new Promise<Answer>((resolve) => {
      give = resolve
    })
    const { ids, asked } = idsFrom([{ producerIdStart: 0, producerIdLen: 20 }, later])
    for (let id = 0; id < 18; id++) expect(await ids.take()).toBe(id)
    expect(asked).toHaveLength(1)
    expect(ids.next()).toBe(18)
    expect(asked).toHaveLength(2)
    expect(ids.next()).toBe(19)
    expect(ids.next()).toBeUndefined()
    const waiting = ids.take()
    give({ producerIdStart: 50, producerIdLen: 20 })
    expect(await waiting).toBe(50)
    expect(asked).toHaveLength(2)
  })

  it.each<[string, Answer]>([
    ['an error', { errorCode: errors.STALE_BROKER_EPOCH.code, producerIdStart: 1000, producerIdLen: 10 }],
    ['ids that were given before', { producerIdStart: 2, producerIdLen: 10 }],
    ['no ids', { producerIdStart: 1000, producerIdLen: 0 }],
    ['more ids than there are', { producerIdStart: 2 ** 53 - 2, producerIdLen: 10 }],
  ])('%s is no block', async (_, answer) => {
    const { ids } = idsFrom([{ producerIdStart: 2, producerIdLen: 1 }, answer, answer])
    expect(await ids.take()).toBe(2)
    await expect(ids.take()).rejects.toThrow('the controller')
  })
})
