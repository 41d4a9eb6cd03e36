import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { errors } from '../protocol/errors.ts'
import type { ControllerLink } from '../replication/channel/controller-link.ts'
import { RequestError } from '../replication/channel/node-client.ts'
import { addressBytes, addressOf, forward, principalBytes, principalOf } from './forwarding.ts'
import { detachedConnection } from './own-requests.ts'

const CONNECTION = detachedConnection('PLAINTEXT', 'broker', 'User:alice', '10.1.2.3')

function linkThat(answers: () => Promise<{ errorCode: number; responseData: Buffer | null }>) {
  const sent: unknown[] = []
  const link = {
    request: async (_api: unknown, body: (version: number) => unknown) => {
      sent.push(body(0))
      return { version: 0, response: await answers() }
    },
  } as unknown as ControllerLink
  return { sent, ask: () => forward(link, Buffer.from('frame'), CONNECTION, 1000) }
}

describe('forwarding to the active controller (KIP-590)', () => {
  test('the envelope has the frame as it came, and who sent it', async () => {
    const { sent, ask } = linkThat(async () => ({ errorCode: 0, responseData: Buffer.from('answer') }))
    expect(await ask()).toEqual(Buffer.from('answer'))
    const [envelope] = sent as { requestData: Buffer; requestPrincipal: Buffer; clientHostAddress: Buffer }[]
    expect(envelope!.requestData.toString()).toBe('frame')
    expect(principalOf(envelope!.requestPrincipal)).toBe('User:alice')
    expect(addressOf(envelope!.clientHostAddress)).toBe('10.1.2.3')
  })

  test.each([
    [
      'an error of the envelope',
      async () => ({ errorCode: 31, responseData: null }),
      errors.CLUSTER_AUTHORIZATION_FAILED,
    ],
    ['no answer in it', async () => ({ errorCode: 0, responseData: null }), errors.UNKNOWN_SERVER_ERROR],
    ['nobody there', () => Promise.reject(new RequestError('timed out', 'late')), errors.REQUEST_TIMED_OUT],
    [
      'one that knows no envelopes',
      () => Promise.reject(new RequestError('unsupported version', 'old')),
      errors.UNSUPPORTED_VERSION,
    ],
  ])('%s', async (_, answers, error) => {
    expect(await linkThat(answers).ask()).toBe(error)
  })
})

describe('addresses and principals in envelopes', () => {
  test.each([
    ['127.0.0.1', [127, 0, 0, 1]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['fe80::1:2%eth0', [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2]],
    ['not-an-address', [127, 0, 0, 1]],
  ])('%s', (text, bytes) => {
    expect([...addressBytes(text)]).toEqual(bytes)
  })

  test('every address of IPv6 comes back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        expect([...addressBytes(addressOf(Buffer.from(bytes))!)]).toEqual([...bytes])
      }),
    )
  })

  test('what is no address, and a principal of another version', () => {
    expect(addressOf(Buffer.alloc(5))).toBeUndefined()
    expect(principalOf(Buffer.from([0, 1, 0]))).toBeUndefined()
    expect(principalOf(Buffer.alloc(0))).toBeUndefined()
    expect(principalOf(principalBytes('User:CN=a:b'))).toBe('User:CN=a:b')
  })
})
