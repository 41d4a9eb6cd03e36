import { expect, test } from 'vitest'
import { type CrcImplementation, crcFromFirstUse, loadJavaScriptCrc } from './crc.ts'

test('the native module is loaded once enough bytes have been summed up, and not again', () => {
  const javaScript = loadJavaScriptCrc()
  let loads = 0
  let nativeBytes = 0
  const native: CrcImplementation = {
    crc32: javaScript.crc32,
    crc32c: (buffer, start, end, seed) => {
      nativeBytes += end - start
      return javaScript.crc32c(buffer, start, end, seed)
    },
  }
  const crc = crcFromFirstUse(1000, () => {
    loads += 1
    return native
  })
  const bytes = Buffer.alloc(2000, 'sum')
  expect(crc.crc32c(bytes, 0, 600)).toBe(javaScript.crc32c(bytes, 0, 600))
  expect({ loads, nativeBytes }).toEqual({ loads: 0, nativeBytes: 0 })
  expect(crc.crc32c(bytes, 600, 1100, 7)).toBe(javaScript.crc32c(bytes, 600, 1100, 7))
  expect(crc.crc32c(bytes, 0, 2000)).toBe(javaScript.crc32c(bytes, 0, 2000))
  expect({ loads, nativeBytes }).toEqual({ loads: 1, nativeBytes: 2500 })
})
