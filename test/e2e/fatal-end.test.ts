import { chmodSync, lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import {
  removeDirectory,
  runTollgate,
  startTollgate,
  type TollgateProcess,
  temporaryDirectory,
  waitFor,
} from '../support/servers/tollgate-process.ts'

const dataDir = await temporaryDirectory()
// A directory that is not empty is not copied from a prepared one: what this test looks at is what a first start makes.
mkdirSync(join(dataDir, 'of-the-test'), { mode: 0o700 })
let tollgate: TollgateProcess | undefined
afterAll(async () => {
  await tollgate?.kill()
  await removeDirectory(dataDir)
})

/** The engine takes these signals over, and once slept for five minutes in each, with port and directory held. */
const ENGINE_SLEPT_MS = 300_000
const ENDED_WITHIN_MS = ENGINE_SLEPT_MS / 10
const STARTS_TWICE_WITHIN_MS = 300_000

test.each(['SIGABRT', 'SIGSEGV', 'SIGBUS'] as const)(
  '%s ends the process at once, and the next start has all that was acknowledged',
  async (signal) => {
    const server = await startTollgate({ dataDir })
    tollgate = server
    const event = { id: signal, type: 'fatal', customer: 'acme', data: {} }
    expect(await server.ok('POST', '/v1/events', [event])).toMatchObject({ accepted: 1 })
    process.kill(server.pid, signal)
    await waitFor(async () => !isAlive(server.pid), ENDED_WITHIN_MS)

    const next = await startTollgate({ dataDir })
    tollgate = next
    await waitFor(async () =>
      (await next.ok<{ data: { id: string }[] }>('GET', '/v1/events?customer=acme')).data.some(({ id }) => id === signal),
    )
    await next.kill()
  },
  STARTS_TWICE_WITHIN_MS,
)

test('every file and directory that the server or an engine in it made belongs to its user alone', async () => {
  const open = allPaths(dataDir).filter((path) => !lstatSync(path).isSymbolicLink() && (lstatSync(path).mode & 0o077) !== 0)
  expect(allPaths(dataDir).length).toBeGreaterThan(100)
  expect(open).toEqual([])
})

test('a data directory that others can enter is refused with the command that closes it', async () => {
  const open = join(dataDir, '..', `${dataDir.split('/').at(-1)}-open`)
  mkdirSync(open, { mode: 0o755 })
  chmodSync(open, 0o755)
  try {
    const { code, output } = await runTollgate(['serve'], { TOLLGATE_DATA_DIR: open, TOLLGATE_PORT: '0' })
    expect(code).toBe(1)
    expect(output).toContain(`chmod -R go= '${open}'`)
  } finally {
    await removeDirectory(open)
  }
})

function allPaths(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name))
}

/** A child that has ended and is not reaped yet counts as ended: the test's own process reaps it. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
