import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { Stage } from '../schemas/http/stage.ts'
import { createLifeCycle } from './life-cycle.ts'
import { systemClock } from './process/system-clock.ts'

const options = { drainMsMax: 1_000, clock: systemClock, log: pino({ level: 'silent' }) }

/** Three stages that record their calls; `over` replaces functions of one of them. */
function stagesWith(name: string, over: Partial<Stage> = {}) {
  const done: string[] = []
  const stage = (own: string): Stage => {
    const step = (what: string) => async () => void done.push(`${what} ${own}`)
    return { name: own, start: step('start'), drain: step('drain'), stop: step('stop'), ...(own === name ? over : {}) }
  }
  return { done, stages: [stage('stores'), stage('ingest'), stage('http')] }
}

const fail = async () => {
  throw new Error('disk full')
}
const forever = () => new Promise<void>(() => undefined)
const ENDING = ['drain http', 'drain ingest', 'drain stores', 'stop http', 'stop ingest', 'stop stores']

describe('the life cycle of stages', () => {
  test('starts in order; drains all, then stops all, the last first', async () => {
    const { done, stages } = stagesWith('')
    const lifeCycle = createLifeCycle(stages, options)
    await lifeCycle.start()
    await lifeCycle.stop()
    expect(done).toEqual(['start stores', 'start ingest', 'start http', ...ENDING])
  })

  test('a start that fails starts no more, and ends what began: the one that failed too', async () => {
    const { done, stages } = stagesWith('ingest', { start: fail })
    const lifeCycle = createLifeCycle(stages, options)
    await expect(lifeCycle.start()).rejects.toThrow('disk full')
    await lifeCycle.stop()
    expect(done).toEqual(['start stores', 'drain ingest', 'drain stores', 'stop ingest', 'stop stores'])
  })

  test.each([
    { what: 'fails', drain: fail, says: 'disk full' },
    { what: 'takes too long', drain: forever, says: 'not ended within 5 ms' },
  ])('a step that $what does not keep the next from running', async ({ drain, says }) => {
    const { done, stages } = stagesWith('ingest', { drain })
    const lifeCycle = createLifeCycle(stages, { ...options, drainMsMax: 5 })
    await lifeCycle.start()
    await expect(lifeCycle.stop()).rejects.toThrow(says)
    expect(done.slice(3)).toEqual(ENDING.filter((step) => step !== 'drain ingest'))
  })

  test('a second stop finds nothing to do', async () => {
    const { done, stages } = stagesWith('')
    const lifeCycle = createLifeCycle(stages, options)
    await lifeCycle.start()
    await Promise.all([lifeCycle.stop(), lifeCycle.stop()])
    expect(done.slice(3)).toEqual(ENDING)
  })

  test('says how every stage is; one that says nothing is well', () => {
    const { stages } = stagesWith('ingest', { health: () => ({ ok: false, reasons: ['behind'] }) })
    expect(createLifeCycle(stages, options).health()).toEqual({
      stores: { ok: true, reasons: [] },
      ingest: { ok: false, reasons: ['behind'] },
      http: { ok: true, reasons: [] },
    })
  })
})
