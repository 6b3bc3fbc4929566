import { invariant } from '../base/invariant.ts'
import { parseDecimal, powerOfTen } from '../domain/decimal.ts'
import type { InstantMs } from '../domain/identity.ts'
import {
  CONDITION_NAMES,
  type ConditionName,
  type CostKind,
  type CostRate,
  type ModelCostRevision,
  type RateCondition,
} from '../domain/model-calls/model-cost-entry.ts'
import { type Rational, rational } from '../domain/rational.ts'

type Moment = { readonly call: Readonly<Record<string, unknown>>; readonly atMs: InstantMs }

export type CompiledRate = {
  /** The amount as it stands in the entry. */
  readonly amount: string
  /** Of one unit. */
  readonly micros: Rational
  /** What the rate is named for; another kind where it is a fallback. */
  readonly pricedAs: CostKind
}
export type CompiledFactor = { readonly factor: Rational }

export type CompiledRates = {
  isFree(kind: CostKind): boolean
  /** Whether some rate or factor names this value of the condition, or it is ignored. */
  knows(name: ConditionName, value: string): boolean
  /** The rate that fits with most conditions, then the highest `inputAbove`; null where none fits. */
  rateOf(kind: CostKind, moment: Moment): CompiledRate | null
  factorsOf(kind: CostKind, rate: CompiledRate, moment: Moment): readonly CompiledFactor[]
}

/** An entry is parsed once; revisions never change. */
export function compiledRates(entry: ModelCostRevision): CompiledRates {
  const known = compiled.get(entry)
  if (known !== undefined) return known
  const made = compile(entry)
  compiled.set(entry, made)
  return made
}

const compiled = new WeakMap<ModelCostRevision, CompiledRates>()

export const AMOUNT_FRACTION_DIGITS_MAX = 18

/** Exact nano units; what is no quantity counts as none, as nothing that was not read has a cost. */
export function quantityNano(value: unknown): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value) * 1_000_000_000n
  return typeof value === 'string' || typeof value === 'number' ? (parseDecimal(value, 20, 9) ?? 0n) : 0n
}

/** The only two: reasoning is charged as text that is put out, and short writes as writes whose time is not told. */
const FALLBACKS: Readonly<Partial<Record<CostKind, CostKind>>> = {
  reasoning_tokens: 'output_text_tokens',
  cache_write_5m_tokens: 'cache_write_tokens',
  cache_write_30m_tokens: 'cache_write_tokens',
}

function compile({ rates, factors, free, ignore }: ModelCostRevision): CompiledRates {
  const byKind = new Map<CostKind, (CompiledRate & { readonly fits: (moment: Moment) => boolean })[]>()
  for (const rate of [...rates].sort(bestFirst)) {
    for (const kind of rate.kinds) {
      const one = { amount: rate.amount, micros: microsOfUnit(rate), pricedAs: kind, fits: compiledCondition(rate.when ?? {}) }
      byKind.set(kind, [...(byKind.get(kind) ?? []), one])
    }
  }
  const compiledFactors = factors.map(({ when, factor, kinds }) => ({
    ...{ factor: decimal(factor), fits: compiledCondition(when) },
    names: kinds === undefined ? null : new Set<CostKind>(kinds),
  }))
  const named = [...rates.map(({ when }) => when ?? {}), ...factors.map(({ when }) => when)]
  const knownValues = new Set(
    named.flatMap((when) => CONDITION_NAMES.flatMap((name) => (when[name] === undefined ? [] : [`${name}=${when[name]}`]))),
  )
  for (const one of ignore) {
    if (typeof one === 'string') knownValues.add(one)
    else for (const name of CONDITION_NAMES) if (one[name] !== undefined) knownValues.add(`${name}=${one[name]}`)
  }
  const freeKinds = new Set<CostKind>(free)
  const rateOf = (kind: CostKind, moment: Moment) => byKind.get(kind)?.find(({ fits }) => fits(moment)) ?? null
  return {
    isFree: (kind) => freeKinds.has(kind),
    knows: (name, value) => knownValues.has(name) || knownValues.has(`${name}=${value}`),
    rateOf(kind, moment) {
      const fallback = FALLBACKS[kind]
      return rateOf(kind, moment) ?? (fallback === undefined ? null : rateOf(fallback, moment))
    },
    factorsOf: (kind, { pricedAs }, moment) =>
      compiledFactors.filter(({ fits, names }) => fits(moment) && (names === null || names.has(kind) || names.has(pricedAs))),
  }
}

function bestFirst(left: CostRate, right: CostRate): number {
  const [a, b] = [left.when ?? {}, right.when ?? {}]
  const conditions = Object.keys(b).length - Object.keys(a).length
  if (conditions !== 0) return conditions
  const [aboveA, aboveB] = [BigInt(a.inputAbove ?? 0), BigInt(b.inputAbove ?? 0)]
  return aboveA === aboveB ? 0 : aboveA > aboveB ? -1 : 1
}

function microsOfUnit({ amount, per = '1000000' }: CostRate): Rational {
  const [each, units] = [decimal(amount), decimal(per)]
  return rational(each.numerator * units.denominator * 1_000_000n, each.denominator * units.numerator)
}

function decimal(text: string): Rational {
  const scaled = parseDecimal(text, 20, AMOUNT_FRACTION_DIGITS_MAX)
  invariant(scaled !== null, `an entry was checked before it was kept, so '${text}' is a decimal`)
  return rational(scaled, powerOfTen(AMOUNT_FRACTION_DIGITS_MAX))
}

function compiledCondition({ serviceTier, speed, region, inputAbove, utc }: RateCondition): (moment: Moment) => boolean {
  const above = inputAbove === undefined ? null : BigInt(inputAbove) * 1_000_000_000n
  const hours = utc === undefined ? null : minutesOf(utc)
  return ({ call, atMs }) =>
    (serviceTier === undefined || call.service_tier === serviceTier) &&
    (speed === undefined || call.speed === speed) &&
    (region === undefined || call.region === region) &&
    (above === null || quantityNano(call.input_tokens) > above) &&
    (hours === null || isWithin(hours, Math.floor(atMs / 60_000) % 1_440))
}

type Hours = { readonly from: number; readonly to: number }

/** `16:00-00:30`, as it is checked before an entry is kept. */
export const UTC_HOURS = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$/

function minutesOf(utc: string): Hours {
  const [, fromHour, fromMinute, toHour, toMinute] = UTC_HOURS.exec(utc) ?? []
  return { from: Number(fromHour) * 60 + Number(fromMinute), to: Number(toHour) * 60 + Number(toMinute) }
}

function isWithin({ from, to }: Hours, minute: number): boolean {
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to
}

/** Whether some minute of a day is in both. */
export function hoursOverlap(left: string, right: string): boolean {
  const [a, b] = [minutesOf(left), minutesOf(right)]
  return isWithin(a, b.from) || isWithin(b, a.from)
}
