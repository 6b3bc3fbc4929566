/**
 * The sender's own arithmetic, separate from the server's on purpose: a decimal as a whole number of 10^-24, which holds any
 * quantity times any price of a run. Throws for anything but a plain decimal.
 */
export function exactOf(decimal: string | number): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,24}))?$/.exec(String(decimal))
  if (match === null) throw new Error(`'${decimal}' is no plain decimal of at most 24 fractional digits`)
  const [, sign, whole = '', fraction = ''] = match
  const digits = BigInt(whole + fraction.padEnd(SCALE_DIGITS, '0'))
  return sign === '-' ? -digits : digits
}

/** Shortest plain notation. */
export function decimalOf(exact: bigint): string {
  const digits = (exact < 0n ? -exact : exact).toString().padStart(SCALE_DIGITS + 1, '0')
  const fraction = digits.slice(-SCALE_DIGITS).replace(/0+$/, '')
  return `${exact < 0n ? '-' : ''}${digits.slice(0, -SCALE_DIGITS)}${fraction === '' ? '' : `.${fraction}`}`
}

export function multiplyExact(a: bigint, b: bigint): bigint {
  return (a * b) / ONE
}

/** To whole cents, halves rounded up. Not for amounts below zero, which no run has. */
export function roundToCents(exact: bigint): bigint {
  const cent = ONE / 100n
  return ((exact + cent / 2n) / cent) * cent
}

const SCALE_DIGITS = 24
export const ONE = 10n ** BigInt(SCALE_DIGITS)
