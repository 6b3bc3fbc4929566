import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { reportImplementation } from '../support/implementations.ts'
import { removeDirectory, startTollgate, type TollgateProcess, temporaryDirectory, waitFor } from '../support/servers/tollgate-process.ts'

type Started = { readonly [part in 'urls' | 'versions' | 'missing']: Readonly<Record<string, string>> }

const COMMAND = fileURLToPath(new URL('../../deploy/dev/servers.ts', import.meta.url))
const dir = await temporaryDirectory()
const servers = (...args: string[]) => promisify(execFile)(process.execPath, [COMMAND, ...args, '--dir', dir])

/** As a person starts them: without an option. The command ends with 1 where one is missing, and still says what runs. */
const { urls, versions, missing }: Started = await servers('start').then(
  ({ stdout }) => JSON.parse(stdout),
  ({ stdout }) => JSON.parse(stdout),
)
for (const [name, version] of Object.entries(versions)) reportImplementation({ name, version, missing: null })
for (const [name, reason] of Object.entries(missing)) reportImplementation({ name, version: null, missing: reason })
const reasons = Object.entries(missing).map(([name, reason]) => `${name}: ${reason}`)
if (process.env.CI === 'true' && reasons.length > 0) throw new Error(`must be there in CI, and are not: ${reasons.join('; ')}`)

let tollgate: TollgateProcess | null = null
afterAll(async () => {
  await tollgate?.kill()
  if (tollgate !== null) await removeDirectory(tollgate.dataDir)
  await servers('discard')
})

const notRun = reasons.length === 0 ? '' : ` (not run: ${reasons.join('; ')})`
describe.skipIf(reasons.length > 0)(`deploy/dev with its defaults${notRun}`, () => {
  test('npm start with the settings that it prints counts an event on all four seams', async () => {
    expect(Object.keys(urls).sort()).toEqual(['CLICKHOUSE_URL', 'DATABASE_URL', 'KAFKA_BROKERS', 'KAFKA_REPLICATION', 'REDIS_URL'])
    const { stdout } = await servers('env')
    expect(stdout.trim().split('\n')).toEqual(Object.entries(urls).map(([name, value]) => `export ${name}='${value}'`))
    tollgate = await startTollgate({ env: urls })
    const { ok } = tollgate
    await ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'count' })
    await ok('POST', '/v1/events', { id: 'e1', type: 'call', customer: 'acme' })
    const usage = '/v1/meters/calls/usage?from=2026-01-01&to=2100-01-01&customer=acme'
    await waitFor(async () => (await ok<{ data: { value: string }[] }>('GET', usage)).data[0]?.value === '1')
  })
})
