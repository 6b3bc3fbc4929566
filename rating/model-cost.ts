import { formatDecimal } from '../domain/decimal.ts'
import type { InstantMs } from '../domain/identity.ts'
import {
  CONDITION_NAMES,
  COST_KINDS,
  type ConditionName,
  type CostKind,
  type ModelCostRevision,
  type UnpricedStatus,
} from '../domain/model-calls/model-cost-entry.ts'
import { roundHalfUp } from '../domain/rational.ts'
import { type CompiledFactor, type CompiledRate, compiledRates, quantityNano } from './compiled-rates.ts'

/** The fields of a model call that its cost depends on: canonical usage and what changes a rate. */
export type PricedCall = Readonly<Record<string, unknown>>

export type ModelCost = {
  /** Millionths of the currency, exact, rounded once, half up, to 9 digits. */
  readonly cost_micros: string
  /** `provider/model@revision`. */
  readonly cost_rates: string
  readonly lines: readonly CostLine[]
}
export type CostLine = { readonly kind: CostKind; readonly quantity: string; readonly amount: string; readonly micros: string }
export type Unpriced = { readonly cost_status: UnpricedStatus; readonly cost_missing?: string }

/**
 * What the provider charges for a call. A rate per million tokens times tokens is millionths of the currency: quantity × amount ×
 * factors × 1,000,000 / per, added exactly. A cost is whole or not there: every part needs a rate or must be free. Pure.
 */
export function modelCost(entry: ModelCostRevision, call: PricedCall, atMs: InstantMs): ModelCost | Unpriced {
  const compiled = compiledRates(entry)
  const missing = CONDITION_NAMES.find((name) => call[FIELD[name]] !== undefined && !compiled.knows(name, String(call[FIELD[name]])))
  if (missing !== undefined) return { cost_status: 'missing_condition', cost_missing: `${FIELD[missing]}=${call[FIELD[missing]]}` }

  const lines: CostLine[] = []
  const total = { numerator: 0n, denominator: 1n }
  const moment = { call, atMs }
  for (const kind of COST_KINDS) {
    const quantity = quantityOf(kind, call)
    if (quantity === 0n || compiled.isFree(kind)) continue
    const rate = compiled.rateOf(kind, moment)
    if (rate === null) {
      if (kind === 'requests') continue
      return { cost_status: 'missing_rate', cost_missing: kind }
    }
    const micros = microsOf(quantity, rate, compiled.factorsOf(kind, rate, moment))
    total.numerator = total.numerator * micros.denominator + micros.numerator * total.denominator
    total.denominator *= micros.denominator
    lines.push({ kind, quantity: formatDecimal(quantity, 9), amount: rate.amount, micros: rounded(micros) })
  }
  return { cost_micros: rounded(total), cost_rates: `${entry.provider}/${entry.model}@${entry.revision}`, lines }
}

const FIELD: Readonly<Record<ConditionName, string>> = { serviceTier: 'service_tier', speed: 'speed', region: 'region' }

/** Text is what the other parts leave of a total, also where an event tells totals alone. */
function quantityOf(kind: CostKind, call: PricedCall): bigint {
  if (kind === 'requests') return ONE
  if (call[kind] === undefined && kind === 'input_text_tokens') return restOf(call.input_tokens, INPUT, call)
  if (call[kind] === undefined && kind === 'output_text_tokens') return restOf(call.output_tokens, OUTPUT, call)
  return quantityNano(call[kind])
}

const ONE = 1_000_000_000n
const tokensOf = (side: 'input' | 'output') =>
  COST_KINDS.filter(
    (kind) => kind.endsWith('_tokens') && (kind.startsWith('output') || kind === 'reasoning_tokens') === (side === 'output'),
  )
const INPUT = tokensOf('input')
const OUTPUT = tokensOf('output')

function restOf(total: unknown, parts: readonly CostKind[], call: PricedCall): bigint {
  const rest = parts.reduce((left, part) => left - quantityNano(call[part]), quantityNano(total))
  return rest > 0n ? rest : 0n
}

type Fraction = { numerator: bigint; denominator: bigint }

function microsOf(quantity: bigint, { micros }: CompiledRate, factors: readonly CompiledFactor[]): Fraction {
  let { numerator, denominator } = micros
  numerator *= quantity
  denominator *= ONE
  for (const { factor } of factors) {
    numerator *= factor.numerator
    denominator *= factor.denominator
  }
  return { numerator, denominator }
}

function rounded(micros: Fraction): string {
  return formatDecimal(roundHalfUp(micros, 9), 9)
}
