import { cp, mkdtemp, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../crash/free-port.ts'
import { untilReady } from '../crash/killer.ts'
import { type ServerLife, startServerLife } from '../crash/server-life.ts'
import { createTemplate } from '../crash/template.ts'
import { CRASH_ENV } from '../crash/trial.ts'

let directory: string
let dataDir: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tollgate-cut-off-'))
  dataDir = join(directory, 'data')
  await cp(await createTemplate(), dataDir, { recursive: true })
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const start = async (): Promise<ServerLife> =>
  startServerLife({
    dataDir,
    logFile: join(directory, 'server.log'),
    port: await freePort(),
    adminKey: 'tg_fault_admin_key_0123456789',
    env: CRASH_ENV,
  })

test.each([
  { store: 'event-log', says: /^The event log is cut off: .*may be missing\. Nothing was changed\. Restore/m },
  { store: 'counters', says: /^the counters are cut off: .*reservations under way may be missing\. Nothing was changed\. Restore/m },
])(
  'a start on $store cut off at its tail says what is missing and what to do, and takes the whole file again',
  async ({ store, says }) => {
    const file = join(dataDir, store, 'data.mdb')
    const whole = join(directory, 'whole.mdb')
    await cp(file, whole)
    const { size } = await stat(file)
    await truncate(file, size - 4_096)
    const refused = await start()
    expect(await refused.exited).toMatchObject({ code: 1 })
    expect(refused.output()).toMatch(says)
    expect((await stat(file)).size).toBe(size - 4_096)
    await cp(whole, file)
    const life = await start()
    await untilReady(life)
    life.kill('SIGTERM')
    expect(await life.exited).toMatchObject({ code: 0 })
  },
  120_000,
)
