import { readMetaProperties } from '../../metadata/format/meta-properties.ts'
import { apis } from '../../protocol/api-keys.ts'
import type { Arguments } from '../arguments.ts'
import { CommandError, UsageError } from '../console.ts'
import { nodeConfig } from '../node-properties.ts'
import { check } from './client.ts'
import { type Result, required, type World, wholeNumber } from './command.ts'

/**
 * `add-controller`: the configuration file of the controller says its id and its listeners, its formatted directory the
 * id of the directory. Throws CommandError, StartupError.
 */
export async function addController(args: Arguments, { admin, disk, properties }: World): Promise<Result> {
  const config = nodeConfig(properties)
  if (!config.isController) throw new CommandError('the node of this configuration is not a controller')
  const directory = config.metadataLogDir
  const directoryId = readMetaProperties(disk, directory)?.directoryId
  if (directoryId === undefined) throw new CommandError(`${directory} has no directory id; it must be formatted first`)
  const listeners = config.advertisedControllerListeners.map(({ name, host, port }) => ({
    name,
    host: host === '' ? 'localhost' : host,
    port,
  }))
  const dryRun = args.has('dry-run')
  if (!dryRun) {
    await admin.retrying(async () => {
      const answer = await admin.controller(apis.AddRaftVoter, () => ({
        clusterId: null,
        timeoutMs: admin.requestTimeoutMs,
        voterId: config.nodeId,
        voterDirectoryId: directoryId,
        listeners,
      }))
      check(answer.errorCode, answer.errorMessage)
    })
  }
  const endpoints = listeners.map(({ name, host, port }) => `${name}://${host}:${port}`)
  const verb = dryRun ? 'Would add' : 'Added'
  return {
    json: { controllerId: config.nodeId, directoryId, endpoints, dryRun },
    text: [`${verb} controller ${config.nodeId}, directory ${directoryId}, at ${endpoints.join(', ')}.`],
  }
}

/** `remove-controller`. Throws UsageError, CommandError. */
export async function removeController(args: Arguments, { admin }: World): Promise<Result> {
  const directoryId = required(args, 'controller-directory-id')
  const controllerId = wholeNumber(args, 'controller-id')
  if (controllerId === undefined) throw new UsageError('--controller-id is required')
  if (!/^[A-Za-z0-9_-]{22}$/.test(directoryId)) throw new UsageError(`'${directoryId}' is not the id of a directory`)
  const dryRun = args.has('dry-run')
  if (!dryRun) {
    await admin.retrying(async () => {
      const answer = await admin.controller(apis.RemoveRaftVoter, () => ({
        clusterId: null,
        voterId: controllerId,
        voterDirectoryId: directoryId,
      }))
      check(answer.errorCode, answer.errorMessage)
    })
  }
  return {
    json: { controllerId, directoryId, dryRun },
    text: [`${dryRun ? 'Would remove' : 'Removed'} controller ${controllerId}, directory ${directoryId}.`],
  }
}
