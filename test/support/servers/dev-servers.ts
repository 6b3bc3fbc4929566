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
} from '../../../deploy/dev/servers.ts'
import { reportImplementation } from '../implementations.ts'
import { onceInRun, RUN_PID } from '../run-directory.ts'

/** A real server for a test file, or why there is none. */
export type DevServerForTest =
  | { readonly server: DevServer; readonly dir: string; readonly missing: null; discard(): Promise<void> }
  | { readonly server: null; readonly missing: string; discard(): Promise<void> }

/**
 * The running server of the default directory when there is one (`node deploy/dev/servers.ts start`), otherwise the one of this
 * run, which the first file that asks starts. `isOwn` asks for a server that no other test uses: for tests that kill it. Where no
 * server is available the test is reported as not run by name; with CI=true that is a failure, because a suite that never runs
 * proves nothing.
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
  const isOfRun = options.isOwn !== true
  const started = isOfRun
    ? await onceInRun(`${name}-of-${brokers}`, () => startOne(name, brokers, RUN_PID))
    : await startOne(name, brokers, process.pid)
  if (started.server !== null) {
    reportImplementation({ name, version: started.server.version, missing: null })
    return { ...started, missing: null, discard: () => (isOfRun ? Promise.resolve() : discardDevServers(started.dir)) }
  }
  const { missing } = started
  reportImplementation({ name, version: null, missing })
  if (process.env.CI === 'true') throw new Error(`${name} must be there in CI, and is not: ${missing}`)
  return { server: null, missing, discard: async () => undefined }
}

type Started = { readonly server: DevServer; readonly dir: string } | { readonly server: null; readonly missing: string }

/** Stopped and removed when the owner is gone. */
async function startOne(name: DevServerName, brokers: number, ownerPid: number): Promise<Started> {
  const dir = await mkdtemp(join(tmpdir(), `tollgate-${name}-`))
  const { servers, missing } = await startDevServers({ dir, names: [name], brokers, ownerPid })
  const server = servers[name]
  if (server !== undefined && missing[name] === undefined) return { server, dir }
  await discardDevServers(dir)
  return { server: null, missing: missing[name] ?? 'it did not start' }
}
