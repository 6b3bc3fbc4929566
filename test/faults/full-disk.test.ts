import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { freePort } from '../crash/free-port.ts'
import { untilReady } from '../crash/killer.ts'
import { startServerLife } from '../crash/server-life.ts'
import { createTemplate } from '../crash/template.ts'
import { CRASH_ENV } from '../crash/trial.ts'
import { smallDiskForTest } from '../support/small-disk.ts'
import { type Answer, detailOf, untilAnswer } from './asking.ts'
import { faultyRun } from './faulty-run.ts'

const DISK_MEGABYTES = 256
const { disk, missing } = await smallDiskForTest(DISK_MEGABYTES)
afterEach(() => disk?.clear())
afterAll(() => disk?.unmount())

test('a full disk refuses events, says so, and recovers by itself; what was acknowledged is there', async ({ skip }) => {
  if (disk === null) return skip(missing)
  const run = await faultyRun({
    seed: 1,
    dataDir: join(disk.path, 'data'),
    async meet({ asking }) {
      for (let round = 0; round < 3; round++) {
        // Room that the stores free meanwhile is taken too, again and again.
        const whenFull = (ask: () => Promise<Answer>) => () => {
          disk.fill()
          return ask()
        }
        const refused = await untilAnswer(whenFull(asking.postEvent), ({ status }) => status === 503)
        expect(refused).toMatchObject({ retryAfter: expect.stringMatching(/^\d+$/), body: { code: 'log_full' } })
        const unready = await untilAnswer(whenFull(asking.readiness), (answer) => detailOf(answer, 'eventLog') !== undefined)
        expect(unready.status).toBe(503)
        expect(detailOf(unready, 'eventLog')).toMatch(/bytes free.*Make space/)
        expect(await asking.decide()).toMatchObject({ status: 200, body: { allowed: true } })
        disk.makeRoom()
        await untilAnswer(asking.postEvent, ({ status }) => status === 202)
        await untilAnswer(asking.readiness, ({ status }) => status === 200)
      }
    },
  })
  expect(run.load.events).toBeGreaterThan(0)
  expect(run.compared.windows).toBeGreaterThan(0)
})

test('a start on a full disk says so, and the next one with room goes on', async ({ skip }) => {
  if (disk === null) return skip(missing)
  const dataDir = join(disk.path, 'data')
  await cp(await createTemplate(), dataDir, { recursive: true })
  const place = {
    dataDir,
    logFile: '/dev/null',
    port: await freePort(),
    adminKey: 'tg_fault_admin_key_0123456789',
    env: CRASH_ENV,
  }
  disk.fill()
  const life = startServerLife(place)
  const { code } = await life.exited
  expect(life.output()).toMatch(/^The data directory .* cannot be written: .*full.*make space/)
  expect(code).toBe(1)
  disk.makeRoom()
  const again = startServerLife(place)
  await untilReady(again)
  again.kill('SIGTERM')
  expect(await again.exited).toMatchObject({ code: 0 })
})
