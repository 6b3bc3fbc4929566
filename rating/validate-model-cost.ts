import { parseDecimal } from '../domain/decimal.ts'
import {
  CONDITION_NAMES,
  COST_KINDS,
  type CostKind,
  type ModelCostRevision,
  type RateCondition,
} from '../domain/model-calls/model-cost-entry.ts'
import { type FieldError, type Outcome, refuse } from '../domain/refusal.ts'
import { AMOUNT_FRACTION_DIGITS_MAX, hoursOverlap, UTC_HOURS } from './compiled-rates.ts'

export type ModelCostTerms = Pick<ModelCostRevision, 'aliases' | 'rates' | 'factors' | 'free' | 'ignore'>
/** As it comes in: decimals as text or numbers, kinds as any text. */
export type ModelCostInput = {
  readonly aliases?: readonly string[]
  readonly rates: readonly {
    readonly kinds: readonly string[]
    readonly amount: Decimal
    readonly per?: Decimal
    readonly when?: ConditionInput
  }[]
  readonly factors?: readonly { readonly when: ConditionInput; readonly factor: Decimal; readonly kinds?: readonly string[] }[]
  readonly free?: readonly string[]
  readonly ignore?: ModelCostRevision['ignore']
}
type Decimal = string | number
type ConditionInput = Omit<RateCondition, 'inputAbove'> & { readonly inputAbove?: Decimal }

/** Checks what only its content can tell; refuses `invalid_model_cost` with one error for each wrong field. */
export function validateModelCost(input: ModelCostInput): Outcome<ModelCostTerms> {
  const errors: FieldError[] = []
  const wrong = (field: string, must: string, was: unknown) =>
    errors.push({ field, code: 'invalid_model_cost', detail: `${field} must be ${must}, was ${JSON.stringify(was)}` })
  const kinds = (names: readonly string[], field: string): readonly CostKind[] =>
    names.flatMap((name, at) => {
      const kind = COST_KINDS.find((one) => one === name)
      if (kind === undefined) wrong(`${field}[${at}]`, `one of ${COST_KINDS.join(', ')}`, name)
      return kind ?? []
    })
  const decimal = (value: Decimal, field: string, must: string, isRight: (scaled: bigint) => boolean): string => {
    const scaled = parseDecimal(value, 20, AMOUNT_FRACTION_DIGITS_MAX)
    if (scaled === null || !isRight(scaled))
      wrong(field, `a decimal ${must} with at most ${AMOUNT_FRACTION_DIGITS_MAX} fractional digits`, value)
    return String(value)
  }
  const condition = ({ inputAbove, ...when }: ConditionInput, field: string): RateCondition => {
    const above = inputAbove === undefined ? undefined : String(inputAbove)
    if (above !== undefined && !/^\d{1,15}$/.test(above)) wrong(`${field}.inputAbove`, 'a whole number of tokens', inputAbove)
    if (when.utc !== undefined && !UTC_HOURS.test(when.utc)) wrong(`${field}.utc`, 'hours as 16:00-00:30', when.utc)
    return { ...when, ...(above === undefined ? {} : { inputAbove: above }) }
  }

  const rates = input.rates.map(({ kinds: names, amount, per, when }, at) => ({
    kinds: kinds(names, `rates[${at}].kinds`),
    amount: decimal(amount, `rates[${at}].amount`, 'of zero or more', (scaled) => scaled >= 0n),
    ...(per === undefined ? {} : { per: decimal(per, `rates[${at}].per`, 'above zero', (scaled) => scaled > 0n) }),
    ...(when === undefined ? {} : { when: condition(when, `rates[${at}].when`) }),
  }))
  const factors = (input.factors ?? []).map(({ when, factor, kinds: names }, at) => ({
    when: condition(when, `factors[${at}].when`),
    factor: decimal(factor, `factors[${at}].factor`, 'of zero or more', (scaled) => scaled >= 0n),
    ...(names === undefined ? {} : { kinds: kinds(names, `factors[${at}].kinds`) }),
  }))
  const aliases = input.aliases ?? []
  for (const [at, alias] of aliases.entries()) if (alias.split('*').length > 2) wrong(`aliases[${at}]`, 'a name with at most one *', alias)
  const terms = { aliases, rates, factors, free: kinds(input.free ?? [], 'free'), ignore: input.ignore ?? [] }
  if (errors.length === 0) errors.push(...rivals(terms.rates))
  return errors.length === 0 ? terms : refuse('invalid_model_cost', {}, errors)
}

/** Two rates of one kind that may hold at once, with as many conditions and the same bound: neither is the better one. */
function rivals(rates: ModelCostTerms['rates']): FieldError[] {
  return rates.flatMap((rate, at) => {
    const before = rates
      .slice(0, at)
      .findIndex((other) => other.kinds.some((kind) => rate.kinds.includes(kind)) && areRivals(rate.when ?? {}, other.when ?? {}))
    if (before < 0) return []
    const detail = `rates[${at}] fits equally with rates[${before}]: give one of them another condition, or take a kind off it`
    return [{ field: `rates[${at}]`, code: 'invalid_model_cost' as const, detail }]
  })
}

function areRivals(left: RateCondition, right: RateCondition): boolean {
  if (Object.keys(left).length !== Object.keys(right).length) return false
  if (BigInt(left.inputAbove ?? 0) !== BigInt(right.inputAbove ?? 0)) return false
  const excludes = CONDITION_NAMES.some((name) => left[name] !== undefined && right[name] !== undefined && left[name] !== right[name])
  return !excludes && (left.utc === undefined || right.utc === undefined || hoursOverlap(left.utc, right.utc))
}
