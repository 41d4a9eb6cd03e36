import type { Cluster } from '../harness/cluster.ts'
import { LibrdkafkaLoad } from './librdkafka.ts'
import { type Records, VerifiableGroup, VerifiableProducer } from './verifiable.ts'

export const CLIENT_PARTITIONS = 3
export const CLIENT_TOPICS: readonly string[] = ['java', 'librdkafka']

/** Members whose process dies are missed soon (KIP-848). */
export const quickGroups: Readonly<Record<string, string>> = {
  'group.consumer.min.heartbeat.interval.ms': '1500',
  'group.consumer.heartbeat.interval.ms': '1500',
  'group.consumer.min.session.timeout.ms': '8000',
  'group.consumer.session.timeout.ms': '8000',
}

/**
 * Producers of Java and of librdkafka, each with a ledger of its own, and groups that read what these write: one of Java
 * with the protocol that is asked for, and two of librdkafka. See `CLIENT_TOPICS`.
 */
export class Clients {
  readonly java: VerifiableProducer
  readonly javaGroup: VerifiableGroup
  readonly librdkafka: LibrdkafkaLoad

  private constructor(java: VerifiableProducer, javaGroup: VerifiableGroup, librdkafka: LibrdkafkaLoad) {
    this.java = java
    this.javaGroup = javaGroup
    this.librdkafka = librdkafka
  }

  /**
   * Makes the topics, starts all, and waits until something is acknowledged everywhere. The groups of librdkafka are in
   * `rack`, if it is given (KIP-392).
   */
  static async launch(
    cluster: Cluster,
    protocol: 'classic' | 'consumer',
    members: number,
    rack?: string,
  ): Promise<Clients> {
    const plan = { partitions: CLIENT_PARTITIONS, replicas: 3, configs: { 'min.insync.replicas': '2' } }
    await cluster.admin.createTopics({ java: plan, librdkafka: plan })
    const clients = new Clients(
      await VerifiableProducer.launch(cluster, 'java', CLIENT_PARTITIONS, 100),
      await VerifiableGroup.launch(cluster, 'java', protocol, members),
      await LibrdkafkaLoad.launch(cluster, 'librdkafka', CLIENT_PARTITIONS, 100, rack),
    )
    await clients.progress().catch(async (error) => {
      await clients.kill()
      throw error
    })
    return clients
  }

  /** Waits until both producers are acknowledged more in every partition than now. */
  async progress(): Promise<void> {
    await Promise.all([this.java.progress(), this.librdkafka.progress()])
  }

  /**
   * Ends them, and answers what is in their topics: all that was acknowledged, and nothing twice. Every group has seen all
   * of it.
   */
  async finish(cluster: Cluster): Promise<{ java: Records; librdkafka: Records }> {
    const java = await this.java.finish(cluster)
    const [, librdkafka] = await Promise.all([this.javaGroup.finish(java), this.librdkafka.finish()])
    console.log(`${java.size} records of Java, ${librdkafka.size} of librdkafka`)
    return { java, librdkafka }
  }

  async kill(): Promise<void> {
    await Promise.all([this.java.kill(), this.javaGroup.kill(), this.librdkafka.kill()])
  }
}
