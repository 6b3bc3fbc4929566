import { unreachable } from '../../../base/invariant.ts'
import { powerOfTen, QUANTITY_FRACTION_DIGITS_MAX } from '../../decimal.ts'
import { type ExactNumber, type NumberDefect, type RoundedQuantity, readNumber, roundToNano } from '../number-text.ts'
import type { Quantity } from '../quantity.ts'
import type { Expression } from './meter-expression.ts'
import { type PropertyPath, valueAt } from './property-path.ts'

/** Why an expression has no value for an event. `missing`: a property that it needs is absent or null. */
export type ValueDefect = 'missing' | NumberDefect

/** The result of an expression: a quantity; a rounded quantity; or the reason why there is none. */
export type ExpressionValue = Quantity | RoundedQuantity | ValueDefect

/**
 * An expression prepared for a stream of events. Everything is computed exactly and rounded once, to the nano unit.
 *
 * Absent and null are the same: `missing`, which makes the whole expression missing, except in `coalesce`, which goes on to its
 * next argument. A value that is present and no number makes the whole expression that defect, inside `coalesce` too: a mistake
 * is not the same as nothing.
 */
export function compileExpression(expression: Expression): (data: object) => ExpressionValue {
  if (expression.kind === 'property') return propertyReader(expression.path)
  const { digits, at: fastAt } = compileFast(expression)
  const exactAt = compileExact(expression)
  const unit = 10 ** digits
  const toNanoFactor = digits <= QUANTITY_FRACTION_DIGITS_MAX ? powerOfTen(QUANTITY_FRACTION_DIGITS_MAX - digits) : null
  return (data) => {
    const scaled = fastAt(data)
    if (Number.isSafeInteger(scaled)) {
      if (scaled % unit === 0) return scaled / unit
      if (toNanoFactor !== null) return BigInt(scaled) * toNanoFactor
    }
    const exact = exactAt(data)
    return typeof exact === 'string' ? exact : quantityOfExact(exact)
  }
}

/** Most meters read one top-level property, and most events have a whole number there. */
function propertyReader(path: PropertyPath): (data: object) => ExpressionValue {
  const [first = ''] = path.steps
  if (path.steps.length > 1) return (data) => quantityOf(valueAt(data, path))
  return (data) => {
    const value = (data as Readonly<Record<string, unknown>>)[first]
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : quantityOf(valueAt(data, path))
  }
}

function quantityOf(value: unknown): ExpressionValue {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  if (typeof value === 'string' && value.length <= SHORT_INTEGER_CHARS && SHORT_INTEGER.test(value)) return Number(value)
  const exact = exactOf(value)
  return typeof exact === 'string' ? exact : quantityOfExact(exact)
}

const SHORT_INTEGER = /^\d+$/
const SHORT_INTEGER_CHARS = 15

function exactOf(value: unknown): ExactNumber | ValueDefect {
  if (typeof value === 'number' || typeof value === 'string') return readNumber(value)
  return value === undefined || value === null ? 'missing' : 'not_a_number'
}

function quantityOfExact(exact: ExactNumber): ExpressionValue {
  const rounded = roundToNano(exact)
  return typeof rounded === 'string' || rounded.isRounded ? rounded : rounded.nano
}

/**
 * Computes with safe integers at a scale that the constants set, as nearly all events have whole numbers. `MISSING` where a
 * property is absent or null; for any number that is no safe integer this way is not available.
 */
type Fast = { readonly digits: number; at(data: object): number }

const MISSING = Number.POSITIVE_INFINITY
const NOT_THIS_WAY = Number.NaN

function compileFast(expression: Expression): Fast {
  switch (expression.kind) {
    case 'constant': {
      const { scaled, digits } = expression.value
      const constant = safe(Number(scaled))
      return { digits, at: () => constant }
    }
    case 'property': {
      const { path } = expression
      return { digits: 0, at: (data) => fastValue(valueAt(data, path)) }
    }
    case 'add':
    case 'subtract': {
      const { digits, all } = aligned([compileFast(expression.left), compileFast(expression.right)])
      const [left = NOWHERE, right = NOWHERE] = all
      if (expression.kind === 'add') return { digits, at: (data) => safe(left(data) + right(data)) }
      return { digits, at: (data) => safe(left(data) - right(data)) }
    }
    case 'multiply': {
      const left = compileFast(expression.left)
      const right = compileFast(expression.right)
      return { digits: left.digits + right.digits, at: (data) => safe(left.at(data) * right.at(data)) }
    }
    case 'negate': {
      const { digits, at } = compileFast(expression.of)
      return { digits, at: (data) => safe(-at(data)) }
    }
    case 'max': {
      const { digits, all } = aligned(expression.of.map(compileFast))
      return { digits, at: (data) => all.reduce((most, at) => safe(Math.max(most, at(data))), Number.MIN_SAFE_INTEGER) }
    }
    case 'coalesce': {
      const { digits, all } = aligned(expression.of.map(compileFast))
      return { digits, at: (data) => firstFast(all, data) }
    }
    default:
      return unreachable(expression)
  }
}

const NOWHERE = () => NOT_THIS_WAY

function fastValue(value: unknown): number {
  if (typeof value === 'number') return safe(value)
  return value === undefined || value === null ? MISSING : NOT_THIS_WAY
}

function safe(number: number): number {
  return Number.isSafeInteger(number) ? number : NOT_THIS_WAY
}

function firstFast(all: readonly ((data: object) => number)[], data: object): number {
  for (const at of all) {
    const value = at(data)
    if (value !== MISSING) return value
  }
  return MISSING
}

/** All at the finest scale; missing stays missing. */
function aligned(parts: readonly Fast[]): { readonly digits: number; readonly all: readonly ((data: object) => number)[] } {
  const digits = Math.max(...parts.map((part) => part.digits))
  const all = parts.map(({ digits: own, at }) => {
    if (own === digits) return at
    const factor = 10 ** (digits - own)
    return (data: object) => {
      const value = at(data)
      return value === MISSING ? MISSING : safe(value * factor)
    }
  })
  return { digits, all }
}

type Exact = (data: object) => ExactNumber | ValueDefect

function compileExact(expression: Expression): Exact {
  switch (expression.kind) {
    case 'constant':
      return () => expression.value
    case 'property':
      return (data) => exactOf(valueAt(data, expression.path))
    case 'add':
      return combined(expression, (left, right) => sumOf(left, right))
    case 'subtract':
      return combined(expression, (left, right) => sumOf(left, negated(right)))
    case 'multiply':
      return combined(expression, (left, right) => ({ scaled: left.scaled * right.scaled, digits: left.digits + right.digits }))
    case 'negate': {
      const of = compileExact(expression.of)
      return (data) => {
        const value = of(data)
        return typeof value === 'string' ? value : negated(value)
      }
    }
    case 'max':
      return greatest(expression.of.map(compileExact))
    case 'coalesce':
      return firstThere(expression.of.map(compileExact))
    default:
      return unreachable(expression)
  }
}

function combined(
  { left, right }: { readonly left: Expression; readonly right: Expression },
  combine: (left: ExactNumber, right: ExactNumber) => ExactNumber,
): Exact {
  const leftAt = compileExact(left)
  const rightAt = compileExact(right)
  return (data) => {
    const leftValue = leftAt(data)
    const rightValue = rightAt(data)
    // A present value that cannot be read is reported before a missing one.
    if (typeof leftValue === 'string') return leftValue === 'missing' && typeof rightValue === 'string' ? rightValue : leftValue
    return typeof rightValue === 'string' ? rightValue : combine(leftValue, rightValue)
  }
}

function greatest(all: readonly Exact[]): Exact {
  return (data) => {
    let most: ExactNumber | null = null
    let defect: ValueDefect | null = null
    for (const at of all) {
      const value = at(data)
      if (typeof value === 'string') defect = defect === null || defect === 'missing' ? value : defect
      else if (most === null || sumOf(value, negated(most)).scaled > 0n) most = value
    }
    return defect ?? most ?? 'missing'
  }
}

function firstThere(all: readonly Exact[]): Exact {
  return (data) => {
    for (const at of all) {
      const value = at(data)
      if (value !== 'missing') return value
    }
    return 'missing'
  }
}

function sumOf(left: ExactNumber, right: ExactNumber): ExactNumber {
  const digits = Math.max(left.digits, right.digits)
  return { scaled: left.scaled * powerOfTen(digits - left.digits) + right.scaled * powerOfTen(digits - right.digits), digits }
}

function negated({ scaled, digits }: ExactNumber): ExactNumber {
  return { scaled: -scaled, digits }
}
