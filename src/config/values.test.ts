import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SettingType } from './setting.ts'
import { brokerSettings, groupResourceSettings, topicSettings } from './settings.ts'
import { parseDurationMs } from './validators.ts'
import { formatValue, parseSetting, parseValue } from './values.ts'

const refusal = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  return 'accepted'
}
const parse = (type: SettingType, text: string) => parseValue('x', type, text)

describe('values by type', () => {
  test('are trimmed as Java trims, and lists split at commas with white space around them', () => {
    expect(parse('BOOLEAN', ' TRUE\t')).toBe(true)
    expect(parse('INT', ' +12 ')).toBe(12)
    expect(parse('STRING', '\u0001 a b \n')).toBe('a b')
    expect(parse('STRING', '\u00a0a')).toBe('\u00a0a')
    expect(parse('LIST', ' a , b,c ')).toEqual(['a', 'b', 'c'])
    expect(parse('LIST', '')).toEqual([])
    expect(parse('LIST', 'a,')).toEqual(['a', ''])
  })

  test('LONG keeps every digit', () => {
    expect(parse('LONG', '9223372036854775807')).toBe(9223372036854775807n)
    expect(formatValue('LONG', parse('LONG', '-9223372036854775808'))).toBe('-9223372036854775808')
  })

  test.each([
    ['BOOLEAN', 'yes', 'Invalid value yes for configuration x: Expected value to be either true or false'],
    ['INT', '2147483648', 'Invalid value 2147483648 for configuration x: Not a number of type INT'],
    ['INT', ' 1a', 'Invalid value  1a for configuration x: Not a number of type INT'],
    ['INT', '', 'Invalid value  for configuration x: Not a number of type INT'],
    ['SHORT', '40000', 'Invalid value 40000 for configuration x: Not a number of type SHORT'],
    ['LONG', '1.5', 'Invalid value 1.5 for configuration x: Not a number of type LONG'],
    ['LONG', '9223372036854775808', 'Invalid value 9223372036854775808 for configuration x: Not a number of type LONG'],
    ['DOUBLE', 'half', 'Invalid value half for configuration x: Not a number of type DOUBLE'],
  ] as const)('%s refuses %j', (type, text, message) => {
    expect(refusal(() => parse(type, text))).toBe(message)
  })

  test('doubles print as in Java', () => {
    const shown = (text: string) => formatValue('DOUBLE', parse('DOUBLE', text))
    expect(
      ['1', '.5', '0.05', '1e-4', '1e7', '1.7976931348623157E308', '0', '-0', 'NaN', '12345.25'].map(shown),
    ).toEqual(['1.0', '0.5', '0.05', '1.0E-4', '1.0E7', '1.7976931348623157E308', '0.0', '-0.0', 'NaN', '12345.25'])
  })

  test('numbers and their texts are the same thing twice', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(formatValue('LONG', parse('LONG', String(value)))).toBe(String(value))
      }),
    )
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(parse('DOUBLE', formatValue('DOUBLE', value)!)).toBe(value)
      }),
    )
  })
})

describe('ranges, in the words of Apache Kafka', () => {
  const broker = (name: keyof typeof brokerSettings, text: string) =>
    refusal(() => parseSetting<never>(name, brokerSettings[name] as never, text))
  const topic = (name: keyof typeof topicSettings, text: string) =>
    refusal(() => parseSetting<never>(name, topicSettings[name] as never, text))

  test.each([
    ['num.partitions', '0', 'Invalid value 0 for configuration num.partitions: Value must be at least 1'],
    [
      'group.share.max.size',
      '1001',
      'Invalid value 1001 for configuration group.share.max.size: Value must be no more than 1000',
    ],
    [
      'process.roles',
      'zookeeper',
      'Invalid value zookeeper for configuration process.roles: String must be one of: broker, controller',
    ],
    [
      'process.roles',
      '',
      "Configuration 'process.roles' must not be empty. Valid values include: [broker, controller]",
    ],
    ['log.dirs', '/a,/a', 'accepted'],
    ['log.dirs', '/a,', "Configuration 'log.dirs' values must not be empty."],
    ['log.dir', '', "Configuration 'log.dir' must not be empty. Valid values include: any non-empty value"],
    [
      'group.consumer.migration.policy',
      'never',
      'Invalid value never for configuration group.consumer.migration.policy: String must be one of (case insensitive): ' +
        'DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL',
    ],
    ['group.consumer.migration.policy', 'Upgrade', 'accepted'],
    [
      'controller.quorum.voters',
      '1:9093',
      'Invalid configuration value for controller.quorum.voters. Each entry should be in the form `{id}@{host}:{port}`.',
    ],
    ['controller.quorum.voters', 'a@b:1', 'Failed to parse voter ID as an integer from a'],
  ] as const)('broker %s=%s', (name, text, message) => {
    expect(broker(name, text)).toBe(message)
  })

  test.each([
    ['retention.ms', '-2', 'Invalid value -2 for configuration retention.ms: Value must be at least -1'],
    ['cleanup.policy', 'compact,delete', 'accepted'],
    ['cleanup.policy', '', 'accepted'],
    [
      'cleanup.policy',
      'drop',
      'Invalid value drop for configuration cleanup.policy: String must be one of: compact, delete',
    ],
    [
      'min.cleanable.dirty.ratio',
      '1.5',
      'Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1',
    ],
    [
      'compression.gzip.level',
      '0',
      'Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1',
    ],
    ['compression.gzip.level', '-1', 'accepted'],
    ['leader.replication.throttled.replicas', '0:1,2:3', 'accepted'],
    ['leader.replication.throttled.replicas', '*', 'accepted'],
    [
      'leader.replication.throttled.replicas',
      '0-1',
      'Invalid value [0-1] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas ' +
        "must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
    ],
  ] as const)('topic %s=%s', (name, text, message) => {
    expect(topic(name, text)).toBe(message)
  })

  test('share.auto.offset.reset takes a duration that is not negative', () => {
    const name = 'share.auto.offset.reset'
    const share = (text: string) => refusal(() => parseSetting(name, groupResourceSettings[name], text))
    expect(['earliest', 'by_duration:P1DT2H', 'by_duration:PT0.5S'].map(share)).toEqual([
      'accepted',
      'accepted',
      'accepted',
    ])
    expect(share('none')).toContain('Invalid value `none` for configuration share.auto.offset.reset.')
    expect(share('by_duration:-PT1S')).toContain('must be either')
    expect(share('by_duration:P')).toContain('must be either')
    expect(parseDurationMs('P1DT2H3M4.5S')).toBe(93784500)
    expect(parseDurationMs('PT')).toBeUndefined()
    expect(parseDurationMs('PT-1.5S')).toBe(-1500)
  })
})

test('a list value that comes twice counts once (KIP-1161)', () => {
  expect(parseSetting('log.dirs', brokerSettings['log.dirs'], '/a, /b,/a')).toEqual(['/a', '/b'])
})

test('every default passes its own range', () => {
  for (const table of [brokerSettings, topicSettings, groupResourceSettings]) {
    for (const [name, setting] of Object.entries(table)) {
      if (setting.default === undefined || setting.default === null) continue
      const text = formatValue(setting.type, setting.default)!
      expect(parseSetting<never>(name, setting as never, text), name).toEqual(setting.default)
    }
  }
})
