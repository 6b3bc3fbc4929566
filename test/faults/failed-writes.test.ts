import { join } from 'node:path'
import { expect, test } from 'vitest'
import { diskFaultsMissing, injectDiskFault } from '../support/disk-fault.ts'
import { type Answer, type Asking, detailOf, untilAnswer } from './asking.ts'
import { faultyRun } from './faulty-run.ts'

const missing = await diskFaultsMissing()

const isRefused = ({ status }: Answer) => status === 503
const isWell = async (asking: Asking) => {
  await untilAnswer(asking.postEvent, ({ status }) => status === 202)
  await untilAnswer(asking.readiness, ({ status }) => status === 200)
}

test('failed fsyncs, and a disk that stalls: refused while it lasts, and what was acknowledged is there', async ({ skip }) => {
  if (missing !== null) return skip(missing)
  const run = await faultyRun({
    seed: 2,
    async meet({ life: { pid }, place: { dataDir }, asking }) {
      const eventLog = join(dataDir, 'event-log', 'data.mdb')
      const counters = join(dataDir, 'counters', 'data.mdb')

      {
        const fault = await injectDiskFault({ pid, path: eventLog, calls: ['fdatasync'], what: { error: 'EIO' } })
        const refused = await untilAnswer(asking.postEvent, isRefused)
        expect(refused).toMatchObject({ retryAfter: expect.stringMatching(/^\d+$/), body: { code: 'log_unavailable' } })
        expect(detailOf(await untilAnswer(asking.readiness, isRefused), 'eventLog')).toContain('Input/output error')
        expect(await asking.decide()).toMatchObject({ status: 200 })
        await fault.end()
        await isWell(asking)
      }

      {
        const fault = await injectDiskFault({ pid, path: counters, calls: ['fdatasync'], what: { error: 'EIO' } })
        // The load changes counters all the time.
        const unready = await untilAnswer(asking.readiness, (answer) => detailOf(answer, 'counters') !== undefined)
        expect(unready.status).toBe(503)
        expect(detailOf(unready, 'counters')).toContain('Input/output error')
        expect(await asking.decide()).toMatchObject({ status: 200 })
        expect(await asking.postEvent()).toMatchObject({ status: 202 })
        await fault.end()
        await isWell(asking)
      }

      const stall = await injectDiskFault({ pid, path: eventLog, calls: ['fdatasync'], what: { delayMs: 8_000 } })
      const waiting = asking.postEvent()
      expect(detailOf(await untilAnswer(asking.readiness, isRefused), 'eventLog')).toMatch(/no answer within/)
      expect(await asking.decide()).toMatchObject({ status: 200 })
      await stall.end()
      expect(await waiting).toMatchObject({ status: 202 })
      await isWell(asking)
    },
  })
  expect(run.compared.windows).toBeGreaterThan(0)
})
