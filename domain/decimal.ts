/** Quantities are bigints in nano units: 1 unit is 1_000_000_000n. Exact up to 9 fractional digits. */
export const NANO = 1_000_000_000n

export const QUANTITY_INTEGER_DIGITS_MAX = 20
export const QUANTITY_FRACTION_DIGITS_MAX = 9

/**
 * Nano units, or null unless the input is an exact decimal with at most 9 fractional digits and |x| < 10^20. Strings
 * are in plain notation ('-12.5'; no exponent, '+', space or bare point). Numbers count as their shortest decimal.
 */
export function parseQuantity(input: string | number): bigint | null {
  return parseDecimal(input, QUANTITY_INTEGER_DIGITS_MAX, QUANTITY_FRACTION_DIGITS_MAX)
}

/** Shortest plain notation: no trailing zeros, never '-0'. */
export function formatQuantity(nano: bigint): string {
  return formatDecimal(nano, QUANTITY_FRACTION_DIGITS_MAX)
}

/**
 * The decimal times 10^fractionDigits, or null for anything but a decimal of up to that many digits. An integer number beyond
 * 2^53-1 is null: parsing it to a float has lost digits already, which a string would have kept.
 */
export function parseDecimal(input: string | number, integerDigitsMax: number, fractionDigitsMax: number): bigint | null {
  if (typeof input === 'number') {
    if (Number.isInteger(input)) {
      if (!Number.isSafeInteger(input)) return null
      if (integerDigitsMax >= SAFE_INTEGER_DIGITS) return BigInt(input) * powerOfTen(fractionDigitsMax)
    }
    input = plainNotation(input)
  }
  // Up to 15 digits and nothing else is the common case on the wire: they fit a float exactly and need no splitting.
  if (input.length <= 15 && input.length <= integerDigitsMax && hasOnlyDigits(input)) {
    return BigInt(Number(input)) * powerOfTen(fractionDigitsMax)
  }
  const match = PLAIN_DECIMAL.exec(input)
  if (match === null) return null
  const [, sign = '', integer = '', fraction = ''] = match
  if (integer.length > integerDigitsMax || fraction.length > fractionDigitsMax) return null
  const scaled = BigInt(integer + fraction.padEnd(fractionDigitsMax, '0'))
  return sign === '-' ? -scaled : scaled
}

/** Inverse of `parseDecimal`: `scaled` is the decimal times 10^fractionDigits. */
export function formatDecimal(scaled: bigint, fractionDigits: number): string {
  const scale = powerOfTen(fractionDigits)
  const magnitude = scaled < 0n ? -scaled : scaled
  const sign = scaled < 0n ? '-' : ''
  const integer = magnitude / scale
  const rest = magnitude - integer * scale
  if (rest === 0n) return `${sign}${integer}`
  return `${sign}${integer}.${rest.toString().padStart(fractionDigits, '0').replace(TRAILING_ZEROS, '')}`
}

export function powerOfTen(exponent: number): bigint {
  return POWERS_OF_TEN[exponent] ?? 10n ** BigInt(exponent)
}

const PLAIN_DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/
const TRAILING_ZEROS = /0+$/
const SAFE_INTEGER_DIGITS = 16
const POWERS_OF_TEN: readonly bigint[] = Array.from({ length: 41 }, (_, exponent) => 10n ** BigInt(exponent))

function hasOnlyDigits(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 48 || code > 57) return false
  }
  return text.length > 0
}

/** The shortest decimal that reads back as this number, with a negative exponent written out: 1.5e-7 is 0.00000015. */
function plainNotation(value: number): string {
  const shortest = String(value)
  const at = shortest.indexOf('e-')
  if (at < 0) return shortest
  const sign = value < 0 ? '-' : ''
  const digits = shortest.slice(sign.length, at).replace('.', '')
  return `${sign}0.${'0'.repeat(Number(shortest.slice(at + 2)) - 1)}${digits}`
}
