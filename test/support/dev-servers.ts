import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  DEV_SERVERS_DIR,
  type DevServer,
  type DevServerName,
  discardDevServers,
  isDevServerRunning,
  readDevServers,
  startDevServers,
} from '../../deploy/dev/servers.ts'
import { reportImplementation } from './implementations.ts'

/** A real server for a test file, or why there is none. */
export type DevServerForTest =
  | { readonly server: DevServer; readonly dir: string; readonly missing: null; discard(): Promise<void> }
  | { readonly server: null; readonly missing: string; discard(): Promise<void> }

/**
 * The running server of the default directory when there is one (`node deploy/dev/servers.ts start`), else one of its own.
 * `isOwn` asks for one of its own in any case: for tests that kill it. Where the server cannot be had the test is
 * reported as not run by name; with CI=true that is a failure, because a suite that never runs proves nothing.
 */
export async function devServerForTest(
  name: DevServerName,
  options: { readonly brokers?: number; readonly isOwn?: boolean } = {},
): Promise<DevServerForTest> {
  const shared = (await readDevServers(DEV_SERVERS_DIR))[name]
  const brokers = options.brokers ?? 1
  const isShared =
    options.isOwn !== true && shared !== undefined && shared.processes.length >= brokers && (await isDevServerRunning(shared))
  if (isShared) reportImplementation({ name, version: shared.version, missing: null })
  if (isShared) return { server: shared, dir: DEV_SERVERS_DIR, missing: null, discard: async () => undefined }
  const dir = await mkdtemp(join(tmpdir(), `tollgate-${name}-`))
  const { servers, missing } = await startDevServers({ dir, names: [name], brokers, ownerPid: process.pid })
  const server = servers[name]
  if (server !== undefined && missing[name] === undefined) {
    reportImplementation({ name, version: server.version, missing: null })
    return { server, dir, missing: null, discard: () => discardDevServers(dir) }
  }
  await discardDevServers(dir)
  const reason = missing[name] ?? 'it did not start'
  reportImplementation({ name, version: null, missing: reason })
  if (process.env.CI === 'true') throw new Error(`${name} must be there in CI, and is not: ${reason}`)
  return { server: null, missing: reason, discard: async () => undefined }
}
