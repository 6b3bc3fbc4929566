import type { Logger } from 'pino'
import type { Clock } from '../base/clock.ts'
import { LATE, within } from '../base/deadline.ts'
import type { Stage, StageHealth } from '../schemas/http/stage.ts'

/** The shared life cycle of all stages of a process. */
export type LifeCycle = {
  /** Starts the stages in order. Rejects with the first failure and starts no more; `stop` must then be called. */
  start(): Promise<void>
  /**
   * Drains the started stages, the last one first, then stops them in the same order. A step that fails or takes too long does
   * not keep the next from running; rejects with the first failure when all have run.
   */
  stop(): Promise<void>
  /** By the name of the stage. */
  health(): Readonly<Record<string, StageHealth>>
}

/** Closing takes a moment even where nobody is waited for: a store closed under a stage that still uses it may break the process. */
const STOP_MS_MIN = 10_000

export function createLifeCycle(
  stages: readonly Stage[],
  { drainMsMax, clock, log }: { readonly drainMsMax: number; readonly clock: Clock; readonly log: Logger },
): LifeCycle {
  /** Last started first; includes a stage whose start failed. */
  const started: Stage[] = []
  const failures: unknown[] = []

  async function step(stage: Stage, name: 'drain' | 'stop', waitMsMax: number): Promise<void> {
    try {
      const ended = await within(clock, waitMsMax, stage[name]?.() ?? Promise.resolve())
      if (ended === LATE) throw new Error(`not ended within ${waitMsMax} ms`)
    } catch (error) {
      failures.push(error)
      log.error({ err: error, stage: stage.name, step: name }, 'stage ended with a failure')
    }
  }

  return {
    async start() {
      for (const stage of stages) {
        started.unshift(stage)
        await stage.start?.()
      }
    },
    async stop() {
      const ending = started.splice(0)
      for (const stage of ending) await step(stage, 'drain', drainMsMax)
      for (const stage of ending) await step(stage, 'stop', Math.max(drainMsMax, STOP_MS_MIN))
      if (failures.length > 0) throw failures[0]
    },
    health: () => Object.fromEntries(stages.map((stage) => [stage.name, stage.health?.() ?? WELL])),
  }
}

const WELL: StageHealth = { ok: true, reasons: [] }
