import { NANO } from '../decimal.ts'

/** Whole units as a safe integer, which most events have and which adds fast; any other quantity in nano units. */
export type Quantity = number | bigint

/** Nano units of a quantity. */
export function toNano(quantity: Quantity): bigint {
  return typeof quantity === 'number' ? BigInt(quantity) * NANO : quantity
}

/** The quantity from nano units. */
export function fromNano(nano: bigint): Quantity {
  const units = nano / NANO
  const isWhole = units * NANO === nano && units <= Number.MAX_SAFE_INTEGER && units >= Number.MIN_SAFE_INTEGER
  return isWhole ? Number(units) : nano
}

export function addQuantities(a: Quantity, b: Quantity): Quantity {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  return toNano(a) + toNano(b)
}

export function isLess(a: Quantity, b: Quantity): boolean {
  return typeof a === 'number' && typeof b === 'number' ? a < b : toNano(a) < toNano(b)
}
