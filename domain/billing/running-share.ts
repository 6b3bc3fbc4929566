import { rational, roundHalfUp } from '../rational.ts'
import type { Money } from './money.ts'

/**
 * The part of an amount that belongs to the first `part` of `whole`, rounded half up. Where an amount is handed out bit by bit
 * (tax of repeated credit notes, a discount given back, the cost of credits that expire), each bit is the increase of this
 * running share: all bits add up to the amount and none is too large. A running total that falls again gives back.
 */
export function runningShare<C extends string>(amount: Money<C>, part: bigint, whole: bigint): Money<C> {
  if (whole === 0n) return 0n as Money<C>
  return roundHalfUp(rational(whole > 0n ? amount * part : -amount * part, whole > 0n ? whole : -whole), 0) as Money<C>
}
