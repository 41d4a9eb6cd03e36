import { expect, test } from 'vitest'
import { errors } from '../../src/protocol/errors.ts'
import { compileJava } from '../harness/java.ts'
import { clientCoordinates, kafkaVersion } from '../harness/maven.ts'
import { jvmFlags } from '../harness/oracle.ts'
import { runOk } from '../harness/process.ts'

test('the error table is that of Kafka 4.3.1', async () => {
  const path = await compileJava('conformance/schemas/ErrorTable.java', clientCoordinates(kafkaVersion))
  const stdout = await runOk('java', [...jvmFlags, '-cp', path, 'ErrorTable'])
  const ours = Object.values(errors).map(({ code, name, retriable }) => `${code} ${name} ${retriable}`)
  expect(ours.sort()).toEqual(stdout.trim().split('\n').sort())
})
