import type { ConfigResource } from './types.ts'

const NONE: ReadonlyMap<string, string> = new Map()

/** What was set, by resource; not the defaults below it. */
export class ConfigsImage {
  readonly #byType = new Map<number, Map<string, Map<string, string>>>()

  /** The settings of one resource by name; empty when it has none. `name` is empty for the default of all brokers. */
  of(type: number, name: string): ReadonlyMap<string, string> {
    return this.#byType.get(type)?.get(name) ?? NONE
  }

  /** The resources of a type that have settings, by name. */
  resources(type: number): ReadonlyMap<string, ReadonlyMap<string, string>> {
    return this.#byType.get(type) ?? new Map()
  }

  /** Every resource that has settings. */
  *all(): Generator<[ConfigResource, ReadonlyMap<string, string>]> {
    for (const [type, resources] of this.#byType) {
      for (const [name, settings] of resources) yield [{ type, name }, settings]
    }
  }

  /** null removes the setting. */
  set(type: number, name: string, setting: string, value: string | null): void {
    const resources = this.#byType.get(type) ?? new Map<string, Map<string, string>>()
    this.#byType.set(type, resources)
    const settings = resources.get(name) ?? new Map<string, string>()
    resources.set(name, settings)
    if (value === null) settings.delete(setting)
    else settings.set(setting, value)
    if (settings.size === 0) resources.delete(name)
  }

  removeResource(type: number, name: string): void {
    this.#byType.get(type)?.delete(name)
  }

  clear(): void {
    this.#byType.clear()
  }
}
