import { parseDecimal } from '../decimal.ts'

/** A whole number as told; null where it is not told, NaN where something else stands in its place, which spreads through sums. */
export type Count = number | null

export type Json = Readonly<Record<string, unknown>>

/** Not told (absent, null) is not zero. Digits in a text count as the number. */
export function count(value: unknown): Count {
  if (value === undefined || value === null) return null
  if (typeof value === 'string') return DIGITS.test(value) ? count(Number(value)) : Number.NaN
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : Number.NaN
}

const DIGITS = /^\d{1,16}$/

/** Null when neither is told. */
export function sum(...counts: readonly Count[]): Count {
  return counts.reduce((total, one) => (one === null ? total : (total ?? 0) + one), null)
}

/** The object, or an empty one in place of anything else: null details are no details. */
export function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : NOTHING
}

const NOTHING: Json = {}

/** The objects of a list, up to `LIST_MAX`. */
export function objectsOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.slice(0, LIST_MAX).map(objectOf) : []
}

const LIST_MAX = 1_000

export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, TEXT_CHARS_MAX) : null
}

const TEXT_CHARS_MAX = 256

/**
 * Plain decimal text of a number or text times 10^shift, exact; null where it is not told, or below zero, or no decimal. A
 * number counts as its shortest decimal, also where JavaScript writes that with an exponent.
 */
export function decimalText(value: unknown, shift = 0): string | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null
  const [, integer, fraction = '', exponent = '0'] = DECIMAL.exec(String(value)) ?? []
  if (integer === undefined) return null
  const point = integer.length + Number(exponent) + shift
  const digits = `${integer}${fraction}`.padEnd(point, '0').padStart(integer.length + fraction.length - Math.min(point, 0), '0')
  const at = Math.max(point, 0)
  const whole = digits.slice(0, at).replace(/^0+(?=\d)/, '') || '0'
  const rest = digits.slice(at).replace(/0+$/, '')
  return rest === '' ? whole : `${whole}.${rest}`
}

const DECIMAL = /^(\d{1,30})(?:\.(\d{1,30}))?(?:e([+-]?\d{1,2}))?$/

/** Money told in the currency's unit, as micros of it: exact up to nine digits of a micro, null beyond or below zero. */
export function micros(value: unknown, unitDigits = 6): string | null {
  const told = decimalText(value, unitDigits)
  return told !== null && parseDecimal(told, 20, 9) !== null ? told : null
}
