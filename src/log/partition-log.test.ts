import { describe, expect, it } from 'vitest'
import { Codec } from '../protocol/records/layout.ts'
import { batchOf, CLIENT, openLog, READ_ALL, readValues, testEnvironment } from './testkit.ts'

describe('appending and reading', () => {
  it('assigns offsets at once and shows nothing before it is written', async () => {
    const log = openLog(testEnvironment())
    const first = log.append([batchOf(['a', 'b'])], CLIENT)
    const second = log.append([batchOf(['c'])], CLIENT)
    expect(log.logEndOffset).toBe(0)
    expect(await first).toMatchObject({ firstOffset: 0, lastOffset: 1, logAppendTimeMs: -1, duplicate: false })
    expect(await second).toMatchObject({ firstOffset: 2, lastOffset: 2 })
    expect(log.logEndOffset).toBe(3)
    expect(await readValues(log)).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ])
  })

  it('serves the end of the log from memory, without a copy', async () => {
    const log = openLog(testEnvironment({ tailCacheBytes: 2 ** 20 }))
    const bytes = Buffer.allocUnsafeSlow(batchOf(['a']).length)
    batchOf(['a']).copy(bytes)
    await log.append([bytes], CLIENT)
    const data = log.read(0, READ_ALL)
    expect(data).not.toBeInstanceOf(Promise)
    expect((await data).records[0]).toBe(bytes)
  })

  it('goes on after a clean shutdown without losing anything', async () => {
    const environment = testEnvironment()
    const log = openLog(environment, { segmentBytes: 200, indexIntervalBytes: 0 })
    for (const value of ['a', 'b', 'c', 'd', 'e']) await log.append([batchOf([value], { codec: Codec.gzip })], CLIENT)
    expect(log.segmentCount).toBeGreaterThan(1)
    await log.close()
    const again = openLog(environment, { segmentBytes: 200 }, { cleanShutdown: true })
    expect(again.logEndOffset).toBe(5)
    await again.append([batchOf(['f'])], CLIENT)
    expect((await readValues(again)).map(([, value]) => value).join('')).toBe('abcdef')
  })
})
