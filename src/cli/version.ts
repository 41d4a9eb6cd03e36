import { fileURLToPath } from 'node:url'
import { nodePlatform } from '../platform/node-platform.ts'

/** The version in package.json, which lies two folders above this file, built or not. */
export function version(): string {
  const path = fileURLToPath(new URL('../../package.json', import.meta.url))
  const manifest: { version: string } = JSON.parse(nodePlatform().disk.readFile(path).toString('utf8'))
  return manifest.version
}
