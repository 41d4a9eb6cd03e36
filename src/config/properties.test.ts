import fc from 'fast-check'
import { expect, test } from 'vitest'
import { escapePropertyValue, parseProperties } from './properties.ts'

const parsed = (text: string) => Object.fromEntries(parseProperties(text))

test('separators, comments and blank lines', () => {
  const text = '# a comment\n! another \\\n\n a=1\nb : 2\nc 3\n\td\t=\t4 \ne\nf=\ng==x\nh=a=b:c d\n'
  expect(parsed(text)).toEqual({ a: '1', b: '2', c: '3', d: '4 ', e: '', f: '', g: '=x', h: 'a=b:c d' })
})

test('continued lines', () => {
  expect(parsed('a=1,\\\n   2,\\\r\n\t3\nb=x\\\\\nc=y\\')).toEqual({ a: '1,2,3', b: 'x\\', c: 'y' })
  expect(parsed('a=1\\\n#2')).toEqual({ a: '1#2' })
  expect(parsed('a=1\\\n\nb=2')).toEqual({ a: '1', b: '2' })
})

test('escapes', () => {
  expect(parsed('a\\ b\\=c\\:d=\\u00e9\\t\\n\\q\\\\')).toEqual({ 'a b=c:d': 'é\t\nq\\' })
})

test('line ends of every kind, and the last of equal keys', () => {
  expect(parsed('a=1\rb=2\r\na=3')).toEqual({ a: '3', b: '2' })
})

test('an escaped value is read back', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      expect(parsed(`key=${escapePropertyValue(value)}`)).toEqual({ key: value })
    }),
  )
})
