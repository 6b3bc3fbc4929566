/** Decimals are text from the wire to the glyph: sums and comparisons are bigint, and a float is only ever the height of a pixel. */
const LANGUAGE = 'en-GB'
const FRACTION_DIGITS_MAX = 20

/** `Intl` is exact on decimal text. */
type DecimalFormat = { format(text: string): string }
const formats = new Map<string, DecimalFormat>()

function formatOf(options: Intl.NumberFormatOptions): DecimalFormat {
  const name = JSON.stringify(options)
  const known = formats.get(name) ?? (new Intl.NumberFormat(LANGUAGE, options) as DecimalFormat)
  formats.set(name, known)
  return known
}

/** `12480331.5` as `12,480,331.5`, with a true minus. All digits stay. */
export function quantityText(decimal: string | number): string {
  return withMinus(formatOf({ maximumFractionDigits: FRACTION_DIGITS_MAX }).format(String(decimal)))
}

/** At least the digits that the currency has; further ones stay. Without the currency's name, which stands beside it. */
export function moneyText(decimal: string, currency: string): string {
  const minimumFractionDigits = currencyDigits(currency)
  return withMinus(formatOf({ minimumFractionDigits, maximumFractionDigits: FRACTION_DIGITS_MAX }).format(decimal))
}

/** For axes alone: `12M`. */
export function shortText(value: number): string {
  return formatOf({ notation: 'compact', maximumFractionDigits: 1 }).format(String(value)).replace('K', 'k')
}

/** `+8.2 %`; null where there was nothing before. */
export function changeText(now: string, before: string): string | null {
  const base = toNumber(before)
  if (base === 0) return null
  const percent = ((toNumber(now) - base) / Math.abs(base)) * 100
  const rounded = Math.abs(percent) >= 1_000 ? Math.round(percent) : Math.round(percent * 10) / 10
  return `${percent >= 0 ? '+' : '−'}${quantityText(Math.abs(rounded))} %`
}

export function addDecimals(decimals: readonly string[]): string {
  const digits = Math.max(0, ...decimals.map((each) => fractionOf(each).length))
  return textOf(
    decimals.reduce((sum, each) => sum + scaled(each, digits), 0n),
    digits,
  )
}

export function subtractDecimals(from: string, decimal: string): string {
  return addDecimals([from, decimal.startsWith('-') ? decimal.slice(1) : `-${decimal}`])
}

export function compareDecimals(a: string, b: string): number {
  const digits = Math.max(fractionOf(a).length, fractionOf(b).length)
  const difference = scaled(a, digits) - scaled(b, digits)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

export function isZero(decimal: string): boolean {
  return /^-?0*(\.0*)?$/.test(decimal)
}

/** For pixels alone. */
export function toNumber(decimal: string): number {
  return Number(decimal)
}

function withMinus(text: string): string {
  return text.replace('-', '−')
}

function currencyDigits(currency: string): number {
  try {
    return new Intl.NumberFormat(LANGUAGE, { style: 'currency', currency }).resolvedOptions().minimumFractionDigits ?? 2
  } catch {
    return 2
  }
}

function fractionOf(decimal: string): string {
  return decimal.split('.')[1] ?? ''
}

function scaled(decimal: string, digits: number): bigint {
  const [whole = '0', fraction = ''] = decimal.replace('-', '').split('.')
  const value = BigInt(whole + fraction.padEnd(digits, '0'))
  return decimal.startsWith('-') ? -value : value
}

function textOf(value: bigint, digits: number): string {
  const text = (value < 0n ? -value : value).toString().padStart(digits + 1, '0')
  const whole = text.slice(0, text.length - digits)
  const fraction = text.slice(text.length - digits).replace(/0+$/, '')
  return `${value < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}
