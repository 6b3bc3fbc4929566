import { PRICE_MODELS, PRICE_TIERS_MAX, type Price, type PriceTier } from '../domain/catalog/price.ts'
import { formatQuantity, parseQuantity } from '../domain/decimal.ts'
import { formatAmount, parseAmount } from '../domain/money.ts'
import { type FieldError, type Outcome, refuseFields } from '../domain/refusal.ts'

/**
 * Checks a price as it came in, with strings or numbers, and normalises it to shortest decimal strings; refuses `invalid_price`
 * with one error per wrong field. `field` is where the price stands in the request: 'charges[2].price'.
 */
export function validatePrice(input: unknown, field = 'price'): Outcome<Price> {
  const errors: FieldError[] = []
  const price = readPrice(input, field, errors)
  if (price !== null && errors.length === 0) return price
  return refuseFields('invalid_price', errors)
}

function readPrice(input: unknown, field: string, errors: FieldError[]): Price | null {
  if (!isObject(input)) {
    errors.push({ field, code: 'invalid_type', detail: `${field} must be an object, was ${shown(input)}` })
    return null
  }
  const reader = createReader(input, field, errors)
  const { model } = input
  switch (model) {
    case 'flat':
      reader.allowOnly('model', 'unitAmount', 'per')
      return { model, unitAmount: reader.requiredAmount('unitAmount'), ...reader.quantity('per', 'positive') }
    case 'package':
      reader.allowOnly('model', 'amount', 'packageSize', 'freeUnits', 'flatAtZero')
      return {
        model,
        amount: reader.requiredAmount('amount'),
        packageSize: reader.requiredQuantity('packageSize', 'positive'),
        ...reader.quantity('freeUnits', 'zero or positive'),
        ...reader.flag('flatAtZero'),
      }
    case 'tiered':
    case 'volume':
    case 'stairstep':
      reader.allowOnly('model', 'per', 'tiers', 'flatAtZero')
      return {
        model,
        ...reader.quantity('per', 'positive'),
        tiers: readTiers(input.tiers, `${field}.tiers`, model === 'stairstep', errors),
        ...reader.flag('flatAtZero'),
      }
    default:
      errors.push({
        field: `${field}.model`,
        code: 'unknown_model',
        detail: `${field}.model must be one of ${PRICE_MODELS.join(', ')}, was ${shown(model)}`,
      })
      return null
  }
}

function readTiers(input: unknown, field: string, needsFlatAmount: boolean, errors: FieldError[]): PriceTier[] {
  if (!Array.isArray(input)) {
    errors.push({ field, code: 'invalid_type', detail: `${field} must be an array of tiers, was ${shown(input)}` })
    return []
  }
  if (input.length === 0 || input.length > PRICE_TIERS_MAX) {
    errors.push({
      field,
      code: input.length === 0 ? 'no_tiers' : 'too_many_tiers',
      detail: `${field} must hold 1 to ${PRICE_TIERS_MAX} tiers, holds ${input.length}`,
    })
    return []
  }
  const errorsBefore = errors.length
  const tiers = input.map((tier, index) => readTier(tier, `${field}[${index}]`, needsFlatAmount, errors))
  // A bound that could not be read would be reported twice, the second time as a bound in the wrong order.
  if (errors.length === errorsBefore) checkBounds(tiers, field, errors)
  return tiers
}

function readTier(input: unknown, field: string, needsFlatAmount: boolean, errors: FieldError[]): PriceTier {
  if (!isObject(input)) {
    errors.push({ field, code: 'invalid_type', detail: `${field} must be an object, was ${shown(input)}` })
    return { upTo: null }
  }
  const reader = createReader(input, field, errors)
  reader.allowOnly('upTo', 'unitAmount', 'flatAmount')
  return {
    upTo: input.upTo === null ? null : reader.requiredQuantity('upTo', 'positive'),
    ...reader.amount('unitAmount'),
    ...(needsFlatAmount ? { flatAmount: reader.requiredAmount('flatAmount') } : reader.amount('flatAmount')),
  }
}

function checkBounds(tiers: readonly PriceTier[], field: string, errors: FieldError[]): void {
  let previous: { readonly index: number; readonly upTo: string; readonly nano: bigint } | null = null
  for (const [index, { upTo }] of tiers.entries()) {
    const bound = `${field}[${index}].upTo`
    const isLast = index === tiers.length - 1
    if (upTo === null) {
      if (!isLast) errors.push({ field: bound, code: 'open_tier_not_last', detail: `${bound} is null, which only the last tier's may be` })
      continue
    }
    if (isLast) errors.push({ field: bound, code: 'last_tier_not_open', detail: `${bound} must be null as it is the last, was '${upTo}'` })
    const nano = parseQuantity(upTo) ?? 0n
    if (previous !== null && nano <= previous.nano) {
      const isEqual = nano === previous.nano
      errors.push({
        field: bound,
        code: isEqual ? 'tier_overlap' : 'tier_out_of_order',
        detail: `${bound} must be above '${previous.upTo}' where tiers[${previous.index}] ends, was '${upTo}'`,
      })
    }
    previous = { index, upTo, nano }
  }
}

type Sign = 'positive' | 'zero or positive'

/** Reads fields of one object and collects what is wrong with them. A required field that is wrong reads as '0', and its error is kept. */
function createReader(source: Readonly<Record<string, unknown>>, parent: string, errors: FieldError[]) {
  const readDecimal = (
    name: string,
    sign: Sign,
    kind: string,
    parse: (input: string | number) => bigint | null,
    format: (x: bigint) => string,
  ) => {
    const value = source[name]
    const field = `${parent}.${name}`
    const parsed = typeof value === 'string' || typeof value === 'number' ? parse(value) : null
    if (parsed === null) {
      const code = value === undefined ? 'missing' : 'not_exact_decimal'
      const detail = value === undefined ? `${field} is missing` : `${field} must be ${kind}, was ${shown(value)}`
      errors.push({ field, code, detail })
      return '0'
    }
    if (parsed < 0n || (parsed === 0n && sign === 'positive')) {
      errors.push({
        field,
        code: sign === 'positive' ? 'not_positive' : 'negative',
        detail: `${field} must be ${sign}, was ${shown(value)}`,
      })
    }
    return format(parsed)
  }
  const requiredAmount = (name: string) => readDecimal(name, 'zero or positive', AMOUNT_RULE, parseAmount, formatAmount)
  const requiredQuantity = (name: string, sign: Sign) => readDecimal(name, sign, QUANTITY_RULE, parseQuantity, formatQuantity)

  return {
    requiredAmount,
    requiredQuantity,
    amount: <Name extends string>(name: Name) => optional(name, source[name] === undefined ? undefined : requiredAmount(name)),
    quantity: <Name extends string>(name: Name, sign: Sign) =>
      optional(name, source[name] === undefined ? undefined : requiredQuantity(name, sign)),
    flag<Name extends string>(name: Name) {
      const value = source[name]
      if (value === undefined || typeof value === 'boolean') return optional(name, value)
      const field = `${parent}.${name}`
      errors.push({ field, code: 'invalid_type', detail: `${field} must be true or false, was ${shown(value)}` })
      return {}
    },
    allowOnly(...names: string[]): void {
      for (const name of Object.keys(source)) {
        if (names.includes(name)) continue
        const field = `${parent}.${name.slice(0, SHOWN_CHARACTERS_MAX)}`
        errors.push({ field, code: 'unknown_field', detail: `${field} is none of ${names.join(', ')}` })
        // One unexpected field is enough to say that the object is of another kind, and keeps the answer small.
        return
      }
    },
  }
}

const AMOUNT_RULE = 'an exact decimal below 10^15 with at most 12 fractional digits'
const QUANTITY_RULE = 'an exact decimal below 10^20 with at most 9 fractional digits'
const SHOWN_CHARACTERS_MAX = 64

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [Key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [Key in Name]?: Value })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing'
  return text.length <= SHOWN_CHARACTERS_MAX ? text : `${text.slice(0, SHOWN_CHARACTERS_MAX)}… (${text.length} characters)`
}
