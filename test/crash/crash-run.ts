import { type JudgedRun, type JudgedRunOptions, judgedRun } from './judged-run.ts'
import { type Death, drawDeath, drawFirstDeath, liveAndDie, untilReady } from './killer.ts'
import { startServerLife } from './server-life.ts'

export type CrashRunOptions = Omit<JudgedRunOptions, 'disturb'> & {
  /** How long it goes on killing. */
  readonly seconds: number
  /** Told of each before it begins, so that a run that fails can say how it came there. */
  readonly onDeath?: (death: Death) => void
}
export type CrashRun = JudgedRun & { readonly deaths: readonly Death[]; readonly tookMs: number }

/** One seed: the server is killed at moments of the seed's choice, and started again. Throws the first difference. */
export async function crashRun({ seconds, onDeath, ...options }: CrashRunOptions): Promise<CrashRun> {
  const startedMs = performance.now()
  const isNew = options.template === null
  const deaths: Death[] = []
  const run = await judgedRun({
    ...options,
    async disturb({ place, random, load }) {
      let begunMs = Number.POSITIVE_INFINITY
      const begun = load.then(() => {
        begunMs = Math.min(begunMs, performance.now())
      })
      const die = async (death: Death) => {
        deaths.push(death)
        onDeath?.(death)
        await liveAndDie(place, death, { begun, startBackfill: () => void load.then(({ changeNextMeter }) => changeNextMeter()) })
      }
      for (let more = isNew ? 1 : 0.2; random.chance(more); more /= 3) await die(drawFirstDeath(random, isNew))
      do await die(drawDeath(random))
      while (!(performance.now() - begunMs > seconds * 1_000))
      const last = startServerLife(place)
      await untilReady(last)
      return last
    },
  })
  return { ...run, deaths, tookMs: performance.now() - startedMs }
}
