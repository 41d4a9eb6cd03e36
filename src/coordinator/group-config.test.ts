import { expect, test } from 'vitest'
import { BrokerConfig } from '../config/broker-config.ts'
import { groupCoordinatorConfig } from './group-config.ts'

function configOf(settings: Record<string, string>) {
  const alone = {
    'node.id': '1',
    'process.roles': 'broker,controller',
    listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.bootstrap.servers': '127.0.0.1:9093',
  }
  const properties = new Map(Object.entries({ ...alone, ...settings }))
  return groupCoordinatorConfig(new BrokerConfig(properties), () => new Map())
}

test.each([
  ['group.share.assignors', 'simple', 'other'],
  ['group.share.assignors', 'org.apache.kafka.coordinator.group.assignor.SimpleAssignor', 'org.example.Assignor'],
  ['group.consumer.assignors', 'range', 'simple'],
])('%s: %s is known, %s is refused', (setting, known, unknown) => {
  expect(() => configOf({ [setting]: known })).not.toThrow()
  expect(() => configOf({ [setting]: unknown })).toThrow(`${unknown} in ${setting} is not an assignor of this broker`)
})
