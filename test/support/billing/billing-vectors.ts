import { readFileSync } from 'node:fs'
import { type Currency, currencyOf, type Money, moneyText, parseMoney } from '../../../domain/billing/money.ts'
import type { InstantMs, Period } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'

/** Worked cases of billing with exact results, by kind: money and quantities are decimal strings, times ISO 8601. */
export function casesOf<Input, Expected>(kind: string): readonly BillingCase<Input, Expected>[] {
  const cases = VECTORS.cases.filter((each) => each.kind === kind)
  if (cases.length === 0) throw new Error(`no case of kind ${kind}`)
  return cases as unknown as readonly BillingCase<Input, Expected>[]
}

export type BillingCase<Input, Expected> = {
  readonly id: string
  readonly why: string
  readonly input: Input
  readonly expected: Expected
}

const VECTORS = JSON.parse(readFileSync(new URL('../../data/billing-vectors.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly { readonly kind: string }[]
}

/** Money of a case: texts in, texts out. */
export function moneyOf(code: string): {
  readonly currency: Currency
  parse(text: string): Money
  text(amount: Money): string
} {
  const currency = orThrow(currencyOf(code))
  return {
    currency,
    parse: (text) => orThrow(parseMoney(currency, text)),
    text: (amount) => moneyText(currency, amount),
  }
}

export function instant(iso: string): InstantMs {
  const ms = Date.parse(iso)
  if (Number.isNaN(ms)) throw new Error(`no instant: ${iso}`)
  return ms as InstantMs
}

export function periodOf([start, end]: readonly [string, string]): Period {
  return { startMs: instant(start), endMs: instant(end) }
}
