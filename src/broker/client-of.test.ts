import { expect, test } from 'vitest'
import { clientOf } from './client-of.ts'
import type { RequestContext } from './types.ts'

test.each([
  ['127.0.0.1', '/127.0.0.1'],
  ['::ffff:10.1.2.3', '/10.1.2.3'],
  ['::1', '/0:0:0:0:0:0:0:1'],
  ['fe80::1:2', '/fe80:0:0:0:0:0:1:2'],
  ['1:2:3:4:5:6:7:8', '/1:2:3:4:5:6:7:8'],
])('%s is written down as Java prints it', (remoteAddress, clientHost) => {
  const context = { apiVersion: 3, clientId: null, connection: { remoteAddress } } as RequestContext
  expect(clientOf(context)).toEqual({ apiVersion: 3, clientId: '', clientHost })
})
