import type { Body } from '../probe.ts'
import { makeTopic, type Scenario } from '../scenario.ts'
import {
  add,
  addBody,
  describe,
  end,
  init,
  initBody,
  look,
  type Producer,
  produce,
  rest,
  withCoordinator,
} from './transaction-tools.ts'

const producers: Scenario[] = [
  {
    title: 'an id, again and again',
    api: 'InitProducerId',
    run: async (probe, version, name) => {
      await withCoordinator(probe, 1, name)
      const first = await probe.send('InitProducerId', version, initBody(version, name))
      probe.learn(first.producerId, '<producer>')
      await describe(probe, name)
      await probe.send('InitProducerId', version, initBody(version, name))
      await probe.send('InitProducerId', version, initBody(version, name, { transactionTimeoutMs: 1234 }))
      await describe(probe, name, `${name}-unknown`, '')
    },
  },
  {
    title: 'what is refused',
    api: 'InitProducerId',
    run: async (probe, version, name) => {
      await withCoordinator(probe, 1, name)
      const ask = (id: string | null, more: Body = {}) =>
        probe.send('InitProducerId', version, initBody(version, id, more))
      await ask('')
      for (const transactionTimeoutMs of [0, -1, 900_001, 2_147_483_647]) await ask(name, { transactionTimeoutMs })
      if (version < 3) return
      await ask(name, { producerId: 5 })
      await ask(name, { producerEpoch: 5 })
      await ask(null, { producerId: 5 })
    },
  },
  {
    title: 'a producer goes on after an error (KIP-360)',
    api: 'InitProducerId',
    from: 3,
    run: async (probe, version, name) => {
      const { producerId } = await init(probe, name)
      const ask = (more: Body) => probe.send('InitProducerId', version, initBody(version, name, more))
      await ask({ producerId, producerEpoch: 0 })
      await ask({ producerId, producerEpoch: 0 })
      await ask({ producerId, producerEpoch: 7 })
      await ask({ producerId: producerId + 100_000, producerEpoch: 0 })
      await ask({})
      await ask({ producerId, producerEpoch: 0 })
      await ask({ producerId, producerEpoch: 2 })
      const fresh = await probe.send(
        'InitProducerId',
        version,
        initBody(version, `${name}-fresh`, { producerId, producerEpoch: 3 }),
      )
      probe.learn(fresh.producerId, '<fresh>')
      probe.transcript.pop()
      await describe(probe, name)
    },
  },
  {
    title: 'a new producer ends the transaction of the old one',
    api: 'InitProducerId',
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      const old = await init(probe, name)
      await add(probe, old, name)
      await probe.send('Produce', 9, produce(9, topic, old, 0))
      await look(probe, topic)
      await probe.send('InitProducerId', version, initBody(version, name))
      await rest(probe, name)
      await look(probe, topic)
      await describe(probe, name)
      await probe.send('InitProducerId', version, initBody(version, name))
      await probe.send('Produce', 9, produce(9, topic, old, 2))
      await probe.send('EndTxn', 3, { ...old, committed: true })
      await probe.send('EndTxn', 5, { ...old, committed: true })
    },
  },
]

const partitions: Scenario[] = [
  {
    title: 'partitions join a transaction',
    api: 'AddPartitionsToTxn',
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 3 })
      const producer = await init(probe, name)
      await probe.send('AddPartitionsToTxn', version, addBody(version, producer, name, [0, 2]))
      await probe.send('AddPartitionsToTxn', version, addBody(version, producer, name, [0]))
      await describe(probe, name)
      await probe.send('AddPartitionsToTxn', version, addBody(version, producer, name, [1, 1]))
      await describe(probe, name)
    },
  },
  {
    title: 'who may not, and where',
    api: 'AddPartitionsToTxn',
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      const producer = await init(probe, name)
      const ask = (more: Partial<Producer>, topic = name, numbers = [0]) =>
        probe.send('AddPartitionsToTxn', version, addBody(version, { ...producer, ...more }, topic, numbers))
      await ask({}, `${name}-missing`)
      await ask({}, name, [0, 9])
      await ask({ producerEpoch: 5 })
      await ask({ producerEpoch: -1 })
      await ask({ producerId: producer.producerId + 100_000 })
      await ask({ transactionalId: `${name}-unknown` })
      await ask({ transactionalId: '' })
      await ask({}, name, [])
      await describe(probe, name)
    },
  },
  {
    title: 'several transactions, asked for and added',
    api: 'AddPartitionsToTxn',
    from: 4,
    run: async (probe, version, name) => {
      await makeTopic(probe, name, { partitions: 2 })
      const one = await init(probe, `${name}-1`)
      const two = await init(probe, `${name}-2`)
      const topics = [{ name, partitions: [0, 1] }]
      const verify = { transactions: [one, two].map((producer) => ({ ...producer, verifyOnly: true, topics })) }
      await probe.send('AddPartitionsToTxn', version, verify)
      await probe.send('AddPartitionsToTxn', version, addBody(version, one, name, [1]))
      await probe.send('AddPartitionsToTxn', version, verify)
      const wrong = { ...two, producerEpoch: 3, verifyOnly: true, topics }
      await probe.send('AddPartitionsToTxn', version, { transactions: [wrong] })
      await probe.send('AddPartitionsToTxn', version, { transactions: [{ ...wrong, transactionalId: 'nobody' }] })
      await probe.send('AddPartitionsToTxn', version, { transactions: [{ ...wrong, transactionalId: '' }] })
      await describe(probe, `${name}-1`, `${name}-2`)
    },
  },
]

const ends: Scenario[] = [
  {
    title: 'commit, abort, and again',
    api: 'EndTxn',
    to: 4,
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      const producer = await init(probe, name)
      await probe.send('EndTxn', version, { ...producer, committed: true })
      await probe.send('EndTxn', version, { ...producer, committed: false })
      let sequence = 0
      for (const committed of [true, false]) {
        await add(probe, producer, name)
        await probe.send('Produce', 9, produce(9, topic, producer, sequence))
        sequence += 2
        await look(probe, topic)
        await end(probe, version, producer, committed)
        await end(probe, version, producer, committed)
        await end(probe, version, producer, !committed)
        await look(probe, topic)
        await describe(probe, name)
      }
    },
  },
  {
    title: 'every end has an epoch of its own (KIP-890)',
    api: 'EndTxn',
    from: 5,
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      let producer = await init(probe, name)
      await probe.send('EndTxn', version, { ...producer, committed: true })
      producer = await end(probe, version, producer, false)
      for (const committed of [true, false, true]) {
        await probe.send('Produce', 12, produce(12, topic, producer, 0))
        await look(probe, topic)
        await describe(probe, name)
        const after = await end(probe, version, producer, committed)
        await end(probe, version, producer, committed)
        await end(probe, version, producer, !committed)
        await look(probe, topic)
        await probe.send('Produce', 12, produce(12, topic, producer, 2))
        producer = after
        await describe(probe, name)
      }
      await probe.send('EndTxn', version, { ...producer, committed: true })
      producer = await end(probe, version, producer, false)
      producer = await end(probe, version, producer, false)
      await describe(probe, name)
    },
  },
  {
    title: 'who may not end it',
    api: 'EndTxn',
    run: async (probe, version, name) => {
      await makeTopic(probe, name)
      const producer = await init(probe, name)
      await add(probe, producer, name)
      for (const committed of [true, false]) {
        const ask = (more: Body) => probe.send('EndTxn', version, { ...producer, ...more, committed })
        await ask({ producerEpoch: 5 })
        await ask({ producerEpoch: -1 })
        await ask({ producerId: producer.producerId + 100_000 })
        await ask({ transactionalId: `${name}-unknown` })
        await ask({ transactionalId: '' })
      }
      await describe(probe, name)
    },
  },
]

const writes: Scenario[] = [
  {
    title: 'records of transactions, for old producers',
    api: 'Produce',
    to: 11,
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name, { partitions: 1 }) }
      const producer = await init(probe, name)
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await add(probe, producer, name)
      await probe.send('Produce', version, produce(version, topic, { ...producer, producerEpoch: 4 }, 0))
      await probe.send('Produce', version, produce(version, topic, { ...producer, producerId: 4_000_000 }, 0))
      const stranger = produce(version, topic, producer, 0)
      await probe.send('Produce', version, { ...stranger, transactionalId: `${name}-unknown` })
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await probe.send('Produce', version, produce(version, topic, producer, 2))
      await probe.send('Produce', version, produce(version, topic, producer, 9))
      await look(probe, topic)
      await end(probe, 3, producer, true)
      await probe.send('Produce', version, produce(version, topic, producer, 4))
      await look(probe, topic)
    },
  },
  {
    title: 'records of transactions, the broker adds partitions (KIP-890)',
    api: 'Produce',
    from: 12,
    run: async (probe, version, name) => {
      const topic = { name, id: await makeTopic(probe, name) }
      let producer = await init(probe, name)
      await probe.send('Produce', version, produce(version, topic, { ...producer, producerEpoch: 4 }, 0))
      await probe.send('Produce', version, produce(version, topic, { ...producer, producerId: 4_000_000 }, 0))
      const stranger = produce(version, topic, producer, 0)
      await probe.send('Produce', version, { ...stranger, transactionalId: `${name}-unknown` })
      await probe.send('Produce', version, { ...stranger, transactionalId: '' })
      await describe(probe, name)
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await probe.send('Produce', version, produce(version, topic, producer, 9))
      await describe(probe, name)
      const old = producer
      producer = await end(probe, 5, producer, false)
      await probe.send('Produce', version, produce(version, topic, old, 2))
      await probe.send('Produce', version, produce(version, topic, producer, 3))
      await probe.send('Produce', version, produce(version, topic, producer, 0))
      await look(probe, topic)
    },
  },
]

/** Transactions: the requests of producers of every age. */
export const transactionScenarios: readonly Scenario[] = [...producers, ...partitions, ...ends, ...writes]
