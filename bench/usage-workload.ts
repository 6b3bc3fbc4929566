/**
 * The usage that benches send: 5,000 customers, 5 models, 1% repeats, about 190 bytes an event. Generated from a seed, so that
 * every run sends the same.
 */
export type UsageWorkload = {
  readonly customers: number
  /** Events before this index are the same in every round but for id and time. */
  readonly poolEvents: number
  readonly repeatShare: number
  /** Sends every customer in turn, instead of some much more than others. */
  readonly isEven?: boolean
}

export const DEFAULT_WORKLOAD: UsageWorkload = { customers: 5_000, poolEvents: 200_000, repeatShare: 0.01 }

export type WorkloadEvent = {
  readonly customer: string
  readonly model: string
  readonly inputTokens: number
  readonly outputTokens: number
  /** The pool index of an earlier event that this one repeats, or null. */
  readonly repeats: number | null
  /** Repeats an event of this round or of the one before: an immediate retry, or one after the first was stored. */
  readonly repeatsLastRound: boolean
}

export const MODELS = ['gpt-4.1', 'gpt-4.1-mini', 'claude-sonnet-4', 'gemini-2.5-pro', 'llama-3.3-70b'] as const
export const EVENT_TYPE = 'llm.request'

export function createWorkloadEvents(workload: UsageWorkload): WorkloadEvent[] {
  const random = createRandom(42)
  const repeatEvery = workload.repeatShare === 0 ? Number.POSITIVE_INFINITY : Math.round(1 / workload.repeatShare)
  const events: WorkloadEvent[] = []
  let repeatCount = 0
  for (let index = 0; index < workload.poolEvents; index++) {
    if (index % repeatEvery === repeatEvery - 1) {
      const repeats = index - 1 - Math.floor(random() * Math.min(40, repeatEvery - 1))
      const first = events[repeats]
      if (first === undefined) throw new Error('a repeat follows its first')
      events.push({ ...first, repeats, repeatsLastRound: repeatCount++ % 2 === 1 })
      continue
    }
    events.push({
      customer: customerKey(workload.isEven === true ? index % workload.customers : skewed(random(), workload.customers)),
      model: MODELS[Math.floor(random() * MODELS.length)] ?? MODELS[0],
      inputTokens: 1 + Math.floor(random() * random() * 8_000),
      outputTokens: 1 + Math.floor(random() * random() * 2_000),
      repeats: null,
      repeatsLastRound: false,
    })
  }
  return events
}

export function customerKey(index: number): string {
  return `customer-${String(index).padStart(6, '0')}`
}

/** Some customers use much more than others: the square puts half of the events on a quarter of them. */
function skewed(uniform: number, count: number): number {
  return Math.floor(uniform * uniform * count)
}

/** Mulberry32 (public domain, Tommy Ettinger). */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
