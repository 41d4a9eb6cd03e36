import { expect } from 'vitest'
import { freshDir } from './cache.ts'
import { compileJava } from './java.ts'
import { classpath, kafkaCoordinates, shellCoordinates } from './maven.ts'
import { jvmFlags, type KafkaToolOptions, logging, runKafkaTool } from './oracle.ts'
import { Daemon, type RunResult, run, runOk } from './process.ts'

/** The classes behind the scripts that Apache Kafka ships. */
const classes = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-groups': 'org.apache.kafka.tools.GroupsCommand',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-metadata-quorum': 'org.apache.kafka.tools.MetadataQuorumCommand',
  'kafka-transactions': 'org.apache.kafka.tools.TransactionsCommand',
  'kafka-client-metrics': 'org.apache.kafka.tools.ClientMetricsCommand',
  'kafka-leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  'kafka-reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
  'kafka-features': 'org.apache.kafka.tools.FeatureCommand',
  'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
  'kafka-dump-log': 'org.apache.kafka.tools.DumpLogSegments',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
  'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-client-compatibility-test': 'org.apache.kafka.tools.ClientCompatibilityTest',
  'kafka-console-share-consumer': 'org.apache.kafka.tools.consumer.ConsoleShareConsumer',
  'kafka-share-groups': 'org.apache.kafka.tools.consumer.group.ShareGroupCommand',
  'kafka-streams-groups': 'org.apache.kafka.tools.streams.StreamsGroupCommand',
  'kafka-share-consumer-perf-test': 'org.apache.kafka.tools.ShareConsumerPerformance',
  'kafka-verifiable-share-consumer': 'org.apache.kafka.tools.VerifiableShareConsumer',
  'kafka-e2e-latency': 'org.apache.kafka.tools.EndToEndLatency',
  'kafka-replica-verification': 'org.apache.kafka.tools.ReplicaVerificationTool',
  'kafka-streams-application-reset': 'org.apache.kafka.tools.StreamsResetter',
  'transactional-message-copier': 'org.apache.kafka.tools.TransactionalMessageCopier',
} as const

export type KafkaTool = keyof typeof classes

/** A broker or a cluster. */
export interface Bootstrap {
  /** `host:port`, with commas. */
  readonly bootstrap: string
}

/** One run of a tool against a broker. */
export interface ToolRun {
  readonly tool: KafkaTool
  /** `--bootstrap-server` goes first, unless BOOTSTRAP stands somewhere in here for its value. */
  readonly args: readonly string[]
  readonly stdin?: string
}

/**
 * Runs one tool after the other against a broker, all in one virtual machine: see ToolRunner.java. A tool that fails
 * does not keep the others from running.
 */
export async function runTools(broker: Bootstrap, runs: readonly ToolRun[], timeoutMs: number): Promise<RunResult[]> {
  const path = await compileJava('conformance/clients/java/ToolRunner.java', kafkaCoordinates)
  const encode = (text: string) => Buffer.from(text).toString('base64')
  const commands = runs.map(({ tool, args, stdin = '' }) => {
    const given = args.includes('BOOTSTRAP') ? args : ['--bootstrap-server', 'BOOTSTRAP', ...args]
    const settled = given.map((arg) => (arg === 'BOOTSTRAP' ? broker.bootstrap : arg))
    return [stdin, classes[tool], ...settled].map(encode).join('\t')
  })
  const flags = [...jvmFlags, '-Xmx256m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', path, 'ToolRunner']
  const { stdout, stderr } = await run('java', flags, { stdin: `${commands.join('\n')}\n`, timeoutMs })
  const answers = stdout.split('\n').slice(0, -1)
  if (answers.length !== runs.length) throw new Error(`${answers.length} of ${runs.length} tools ran\n${stderr}`)
  return answers.map((answer) => {
    const [status, ...streams] = answer.split('\t')
    const [out, err] = streams.map((text) => Buffer.from(text, 'base64').toString())
    return { status: Number(status), stdout: out!, stderr: err! }
  })
}

/** Runs a tool that must succeed, and returns its standard output. */
export async function tool(name: KafkaTool, args: readonly string[], options: KafkaToolOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await runKafkaTool(classes[name], args, options)
  expect(status, `${name} ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0)
  return stdout
}

/** Runs a tool against a broker: `--bootstrap-server` goes first. */
export function toolOn(
  broker: Bootstrap,
  name: KafkaTool,
  args: readonly string[],
  options: KafkaToolOptions = {},
): Promise<string> {
  return tool(name, ['--bootstrap-server', broker.bootstrap, ...args], options)
}

/** What kafka-metadata-shell answers to one command about a snapshot. */
export async function metadataShell(snapshot: string, command: readonly string[]): Promise<string> {
  const path = await classpath(shellCoordinates)
  const flags = [...jvmFlags, '-Xmx256m', ...logging('error'), '-cp', path]
  return runOk('java', [...flags, 'org.apache.kafka.shell.MetadataShell', '--snapshot', snapshot, ...command])
}

/** A tool that keeps running, such as a consumer. */
export async function toolDaemon(name: KafkaTool, args: readonly string[]): Promise<Daemon> {
  const dir = freshDir(name)
  const flags = [...jvmFlags, '-Xmx256m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error']
  const command = [...flags, '-cp', await classpath(kafkaCoordinates), classes[name], ...args]
  return new Daemon('java', command, { cwd: dir, logFile: `${dir}/out` })
}
