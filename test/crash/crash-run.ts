import { type JudgedRunOptions, judgedRun } from './judged-run.ts'
import { type Death, drawDeath, drawFirstDeath, liveAndDie, untilReady } from './killer.ts'
import { startServerLife } from './server-life.ts'
import type { Verdict } from './trial.ts'

export type CrashRunOptions = Omit<JudgedRunOptions, 'disturb'> & {
  /** The most deaths under load; there may be more before it. */
  readonly deathsMax: number
  /** Called with each death before it begins, so that the error of a failed run can tell its story. */
  readonly onDeath?: (death: Death) => void
}
export type CrashRun = Verdict & { readonly deaths: readonly Death[]; readonly tookMs: number }

/** One seed: the server is killed at moments that the seed chooses, and started again. Throws the first difference. */
export async function crashRun({ deathsMax, onDeath, ...options }: CrashRunOptions): Promise<CrashRun> {
  const startedMs = performance.now()
  const isNew = options.template === null
  const deaths: Death[] = []
  const run = await judgedRun({
    ...options,
    async disturb({ place, random, load, answers }) {
      const under = { begun: load, answers, startBackfill: () => void load.then(({ changeNextMeter }) => changeNextMeter()) }
      const die = async (death: Death) => {
        deaths.push(death)
        onDeath?.(death)
        await liveAndDie(place, death, under)
      }
      for (let more = isNew ? 1 : 0.2; random.chance(more); more /= 3) await die(drawFirstDeath(random, isNew))
      for (let left = random.between(1, deathsMax); left > 0; left--) await die(drawDeath(random))
      const last = startServerLife(place)
      await untilReady(last)
      return last
    },
  })
  return { ...run, deaths, tookMs: performance.now() - startedMs }
}
