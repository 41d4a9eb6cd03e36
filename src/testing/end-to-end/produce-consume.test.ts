import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { afterEach, describe, expect, it } from 'vitest'
import { startTestBroker, type TestBroker } from '../test-broker.ts'

const brokers: TestBroker[] = []

async function start(...args: Parameters<typeof startTestBroker>): Promise<TestBroker> {
  const broker = await startTestBroker(...args)
  brokers.push(broker)
  return broker
}

function client({ address }: TestBroker): Kafka {
  return new Kafka({ clientId: 'test', brokers: [address], logLevel: logLevel.NOTHING })
}

afterEach(async () => {
  await Promise.all(brokers.splice(0).map(({ server }) => server.stop()))
})

describe('kafkajs', () => {
  it('creates a topic, produces and consumes', async () => {
    const broker = await start()
    const kafka = client(broker)
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'words', numPartitions: 3 }] })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({
      topic: 'words',
      messages: [{ key: 'a', value: 'one', headers: { h: 'x' } }, { value: null }],
    })
    await producer.send({ topic: 'words', compression: CompressionTypes.GZIP, messages: [{ key: 'b', value: 'two' }] })
    const consumer = kafka.consumer({ groupId: 'readers' })
    await consumer.connect()
    await consumer.subscribe({ topic: 'words', fromBeginning: true })
    const values: (string | null)[] = []
    await new Promise<void>((resolve) => {
      void consumer.run({
        eachMessage: async ({ message }) => {
          values.push(message.value?.toString() ?? null)
          if (values.length === 3) resolve()
        },
      })
    })
    expect(values.sort()).toEqual([null, 'one', 'two'].sort())
    await Promise.all([consumer.disconnect(), producer.disconnect(), admin.disconnect()])
  })
})
