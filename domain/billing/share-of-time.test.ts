import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { casesOf, instant, moneyOf, periodOf } from '../../test/support/billing/billing-vectors.ts'
import type { InstantMs, Period } from '../identity.ts'
import { add, formatRational, type Rational, rational, ZERO } from '../rational.ts'
import { billingCellAt } from '../time/calendar.ts'
import type { PlanInterval } from '../time/intervals.ts'
import { type Money, sum } from './money.ts'
import { fractionOfCell, shareOfTime } from './share-of-time.ts'

type Input = {
  readonly currency: string
  readonly amount: string
  readonly parts: readonly [string, string][]
  readonly cell?: [string, string]
  readonly interval?: Exclude<PlanInterval, 'once'>
  readonly anchor?: string
  readonly timezone?: string
}
type Expected = { readonly parts: readonly { readonly amount: string; readonly exact: string }[]; readonly sum: string }

/** Cuts a stretch over several cells into its parts. */
function cut({ cell, interval, anchor, timezone }: Input, stretch: Period): readonly { cell: Period; part: Period }[] {
  if (cell !== undefined) return [{ cell: periodOf(cell), part: stretch }]
  if (interval === undefined || anchor === undefined) throw new Error('a case has a cell or a grid')
  const parts: { cell: Period; part: Period }[] = []
  for (let atMs = stretch.startMs; atMs < stretch.endMs; ) {
    const here = billingCellAt(interval, instant(anchor), atMs, timezone)
    const endMs = Math.min(here.endMs, stretch.endMs) as InstantMs
    parts.push({ cell: here, part: { startMs: atMs, endMs } })
    atMs = endMs
  }
  return parts
}

test.each(casesOf<Input, Expected>('proration'))('$id', ({ input, expected }) => {
  const { parse, text } = moneyOf(input.currency)
  const amount = parse(input.amount)
  const hundredths = 10n ** BigInt(moneyOf(input.currency).currency.digits)
  const shares = input.parts.map((part) => {
    const pieces = cut(input, periodOf(part))
    const exact = pieces.map((piece): Rational => {
      const { numerator, denominator } = fractionOfCell(piece.cell, piece.part)
      return rational(amount * numerator, denominator * hundredths)
    })
    return { amount: sum(pieces.map((piece) => shareOfTime(amount, piece.cell, piece.part))), exact: exact.reduce(add, ZERO) }
  })
  expect({
    parts: shares.map((share) => ({ amount: text(share.amount), exact: formatRational(share.exact) })),
    sum: text(sum(shares.map((share) => share.amount))),
  }).toEqual(expected)
})

describe('however a cell is cut', () => {
  test('its stretches add up to the amount, and none is off by a minor unit', () => {
    fc.assert(
      fc.property(
        fc.bigInt(-10_000_000n, 10_000_000n),
        fc.integer({ min: 1, max: 3_000_000 }),
        fc.array(fc.nat(3_000_000)),
        (minorUnits, lengthMs, at) => {
          const amount = minorUnits as Money
          const cell = { startMs: 0 as InstantMs, endMs: lengthMs as InstantMs }
          const cuts = [0, ...at.map((ms) => ms % lengthMs).sort((a, b) => a - b), lengthMs] as InstantMs[]
          const stretches = cuts.slice(1).map((endMs, index) => ({ startMs: cuts[index] ?? cell.startMs, endMs }))
          const shares = stretches.map((stretch) => shareOfTime(amount, cell, stretch))
          expect(sum(shares)).toBe(amount)
          for (const [index, stretch] of stretches.entries()) {
            const { numerator, denominator } = fractionOfCell(cell, stretch)
            const off = (shares[index] ?? 0n) * denominator - amount * numerator
            expect(off < 0n ? -off : off).toBeLessThanOrEqual(denominator)
          }
        },
      ),
    )
  })
})
