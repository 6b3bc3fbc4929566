/**
 * The bill of a subscription's life, recounted from its events by a second reading of the rules. It shares no code with what it
 * checks: plain dates, whole cents, fractions of two bigints. Plans here are by month or week in UTC, in dollars.
 */
export type RecountPlan = {
  readonly interval: 'month' | 'week'
  readonly feeCents: bigint
  readonly minimumCents: bigint
  readonly maximumCents: bigint | null
  readonly scaled: boolean
  /** Whole units; cents per unit times 10^6. The last tier is open. */
  readonly tiers: readonly { readonly upTo: bigint | null; readonly microCents: bigint }[]
  readonly volume: boolean
}

export type RecountPhase = { readonly plan: string; readonly startMs: number; readonly endMs: number }
export type RecountEvent = { readonly occurredAtMs: number; readonly units: bigint }

export type RecountPart = {
  readonly plan: string
  readonly startMs: number
  readonly endMs: number
  readonly base: bigint
  readonly units: bigint
  readonly usage: bigint
  readonly trueUp: bigint
}

/** Every served part of the time, in order, with its amount once all events are there. */
export function recount(
  plans: Readonly<Record<string, RecountPlan>>,
  phases: readonly RecountPhase[],
  anchorMs: number,
  events: readonly RecountEvent[],
): readonly RecountPart[] {
  return phases.flatMap(({ plan: key, startMs, endMs }) => {
    const plan = plans[key]
    if (plan === undefined) throw new Error(`no plan ${key}`)
    const parts: RecountPart[] = []
    for (let atMs = startMs; atMs < endMs; ) {
      const [from, to] = plan.interval === 'week' ? weekAt(anchorMs, atMs) : monthAt(anchorMs, atMs)
      const lastMs = Math.min(to, endMs)
      const length = BigInt(to - from)
      const share = (cents: bigint) => half(cents * BigInt(lastMs - from), length) - half(cents * BigInt(atMs - from), length)
      const startedMs = atMs
      const units = events.reduce((sum, { occurredAtMs, units: each }) => {
        return occurredAtMs >= startedMs && occurredAtMs < lastMs ? sum + each : sum
      }, 0n)
      let usage = price(plan, units < 0n ? 0n : units, BigInt(lastMs - atMs), length)
      const cap = plan.maximumCents === null ? null : plan.scaled ? share(plan.maximumCents) : plan.maximumCents
      if (cap !== null && usage > cap) usage = cap
      const base = share(plan.feeCents)
      const missing = share(plan.minimumCents) - base - usage
      parts.push({ plan: key, startMs: atMs, endMs: lastMs, base, units, usage, trueUp: missing > 0n ? missing : 0n })
      atMs = lastMs
    }
    return parts
  })
}

/** In cents, rounded once. Scaled: f · price(units / f) with f = part / whole, all over one denominator. */
function price({ tiers, volume, scaled }: RecountPlan, units: bigint, part: bigint, whole: bigint): bigint {
  const [numerator, denominator] = scaled ? [part, whole] : [1n, 1n]
  if (numerator === 0n) return 0n
  // The quantity scaled to the whole cell, units · denominator / numerator, kept times the numerator.
  const pace = units * denominator
  let microCents = 0n
  let below = 0n
  for (const { upTo, microCents: each } of tiers) {
    const isHere = upTo === null || pace <= upTo * numerator
    if (volume && isHere) return half(pace * each, denominator * 1_000_000n)
    if (!volume) microCents += ((isHere ? pace : (upTo ?? 0n) * numerator) - below) * each
    if (isHere) break
    below = (upTo ?? 0n) * numerator
  }
  return half(microCents, denominator * 1_000_000n)
}

/** Half up, away from zero. */
function half(numerator: bigint, denominator: bigint): bigint {
  const size = numerator < 0n ? -numerator : numerator
  const rounded = (size * 2n + denominator) / (denominator * 2n)
  return numerator < 0n ? -rounded : rounded
}

function weekAt(anchorMs: number, atMs: number): readonly [number, number] {
  const week = 7 * 86_400_000
  const from = anchorMs + Math.floor((atMs - anchorMs) / week) * week
  return [from, from + week]
}

function monthAt(anchorMs: number, atMs: number): readonly [number, number] {
  const anchor = new Date(anchorMs)
  const boundary = (months: number) => {
    const first = new Date(Date.UTC(anchor.getUTCFullYear(), anchor.getUTCMonth() + months, 1))
    const days = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate()
    const timeMs = anchorMs - Date.UTC(anchor.getUTCFullYear(), anchor.getUTCMonth(), anchor.getUTCDate())
    return Date.UTC(first.getUTCFullYear(), first.getUTCMonth(), Math.min(anchor.getUTCDate(), days)) + timeMs
  }
  const at = new Date(atMs)
  let months = (at.getUTCFullYear() - anchor.getUTCFullYear()) * 12 + at.getUTCMonth() - anchor.getUTCMonth() - 1
  while (boundary(months + 1) <= atMs) months++
  return [boundary(months), boundary(months + 1)]
}
