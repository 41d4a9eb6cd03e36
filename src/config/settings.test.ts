import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Setting } from './setting.ts'
import { brokerSettings, isListSetting, lookup, topicSettings } from './settings.ts'
import { TOPIC_SYNONYMS } from './synonyms.ts'

const config = dirname(fileURLToPath(import.meta.url))

/** Read, but only to refuse what is not available. */
const READ_WITHOUT_EFFECT = ['authorizer.class.name', 'remote.log.storage.system.enable']

/** All source that is neither a test nor the table itself. */
function source(): string {
  const files = readdirSync(dirname(config), { recursive: true, withFileTypes: true })
  return files
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('definitions') && !path.endsWith('-checks.ts'))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n')
}

test('a setting is said to work if, and only if, something reads it', () => {
  const text = source()
  const topicNames = new Set<string>(Object.keys(topicSettings))
  const isRead = (name: string) => text.includes(`'${name}'`)
  const wrong: string[] = []
  for (const [name, setting] of Object.entries<Setting>(brokerSettings)) {
    if (setting.effect === 'works' && !isRead(name)) wrong.push(`${name} is said to work and never read`)
    // What topics inherit stands in the table of synonyms in any case, whether or not topics do something with it.
    const isInherited = Object.values(TOPIC_SYNONYMS).some((synonyms) => synonyms.some((each) => each.name === name))
    if (isInherited || topicNames.has(name) || READ_WITHOUT_EFFECT.includes(name)) continue
    if (setting.effect === 'ignored' && text.includes(`get('${name}')`))
      wrong.push(`${name} is read and said to be ignored`)
  }
  expect(wrong).toEqual([])
})

test('what topics inherit works for the broker if, and only if, it works for them', () => {
  const wrong: string[] = []
  for (const [name, synonyms] of Object.entries(TOPIC_SYNONYMS)) {
    const topic = lookup(topicSettings, name)!
    for (const synonym of synonyms) {
      if (lookup(brokerSettings, synonym.name)?.effect !== topic.effect) wrong.push(`${name} <- ${synonym.name}`)
    }
  }
  expect(wrong).toEqual([])
})

test('names of the language are no settings', () => {
  expect(lookup(brokerSettings, 'constructor')).toBeUndefined()
  expect(lookup(brokerSettings, '__proto__')).toBeUndefined()
})

test('only lists can be appended to', () => {
  expect(isListSetting('topic', 'cleanup.policy')).toBe(true)
  expect(isListSetting('topic', 'retention.ms')).toBe(false)
  expect(isListSetting('broker', 'metric.reporters')).toBe(true)
  expect(isListSetting('client-metrics', 'match')).toBe(true)
})
