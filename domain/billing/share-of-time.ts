import { invariant } from '../../base/invariant.ts'
import type { Period } from '../identity.ts'
import { type Rational, rational, roundHalfUp } from '../rational.ts'
import { type Money, minus } from './money.ts'

/**
 * The share of an amount for a whole cell that falls on a stretch of it: a difference of rounded running totals, by elapsed
 * milliseconds. So the stretches of a cell add up to the amount however it is cut and whenever each is billed; the odd minor unit
 * goes to the earlier one. A stretch without length costs nothing.
 */
export function shareOfTime<C extends string>(amount: Money<C>, cell: Period, stretch: Period): Money<C> {
  return minus(upTo(amount, cell, stretch.endMs), upTo(amount, cell, stretch.startMs))
}

/** The stretch as an exact fraction of its cell: 15 of 30 days are 1/2. */
export function fractionOfCell(cell: Period, stretch: Period): Rational {
  const lengthMs = cell.endMs - cell.startMs
  invariant(lengthMs > 0, 'a cell of time has a length')
  return rational(BigInt(stretch.endMs - stretch.startMs), BigInt(lengthMs))
}

function upTo<C extends string>(amount: Money<C>, cell: Period, atMs: number): Money<C> {
  const elapsedMs = atMs - cell.startMs
  invariant(elapsedMs >= 0 && atMs <= cell.endMs, 'a stretch lies within its cell')
  return roundHalfUp(rational(amount * BigInt(elapsedMs), BigInt(cell.endMs - cell.startMs)), 0) as Money<C>
}
