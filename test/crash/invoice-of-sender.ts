import { exactOf, multiplyExact, ONE } from '../support/exact-decimal.ts'
import type { PriceSpec } from './world.ts'

/** The price of a quantity, computed by the sender. The prices of a run divide without remainder. */
export function priceOf(price: PriceSpec, quantity: bigint): bigint {
  if (price.model === 'flat') return (multiplyExact(quantity, exactOf(price.unitAmount)) * ONE) / exactOf(price.per ?? '1')
  let exact = 0n
  let floor = 0n
  for (const { upTo, unitAmount, flatAmount = '0' } of price.tiers) {
    if (quantity <= floor) break
    const ceiling = upTo === null || quantity < exactOf(upTo) ? quantity : exactOf(upTo)
    exact += multiplyExact(ceiling - floor, exactOf(unitAmount)) + exactOf(flatAmount)
    floor = ceiling
    if (upTo === null) break
  }
  return exact
}
