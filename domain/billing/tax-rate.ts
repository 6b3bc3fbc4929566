import { powerOfTen } from '../decimal.ts'
import { type Rational, rational } from '../rational.ts'

/** A tax rate as it stands on a document. It is kept with what was billed, so that a later change does not affect it. */
export type TaxRate = {
  readonly key: string
  readonly name: string
  /** Percent times 10^9: 8.875 % is 8_875_000_000n. */
  readonly percentNano: bigint
  /** Whether prices include the tax already. */
  readonly isInclusive: boolean
}

/** The exact tax in minor units on a net of minor units: x·p/100, or x·p/(100+p) where the net includes it. */
export function exactTax({ percentNano, isInclusive }: TaxRate, net: bigint): Rational {
  return rational(net * percentNano, isInclusive ? HUNDRED_NANO + percentNano : HUNDRED_NANO)
}

/** Two lines are taxed together when their rates agree in every field. */
export function taxRateIdentity({ key, percentNano, isInclusive }: TaxRate): string {
  return `${percentNano} ${isInclusive} ${key}`
}

const HUNDRED_NANO = 100n * powerOfTen(9)
