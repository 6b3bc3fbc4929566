import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Charge } from '../domain/catalog/plan.ts'
import type { Price } from '../domain/catalog/price.ts'
import { NANO } from '../domain/decimal.ts'
import type { FeatureKey, InstantMs } from '../domain/identity.ts'
import { orThrow } from '../domain/refusal.ts'
import { rateInvoice } from './invoice.ts'
import { validatePrice } from './validate-price.ts'

/** Computed independently of this project with exact fractions; lies beside the checkout, not in it. */
const FILE = new URL('../../shared/data/llm_azure_2023.invoices.json', import.meta.url)
const isPresent = existsSync(FILE)

type Amount = { readonly exact: string; readonly half_up_2dp: string }
type KnownInvoice<Line, More = unknown> = More & {
  readonly lines: readonly (Line & { readonly amount: Amount; readonly quantity: number })[]
  readonly sum_of_rounded_lines_half_up: string
  readonly total: Amount
}
type ByCustomer<Invoice> = {
  readonly per_customer_month: Readonly<Record<string, Readonly<Record<string, Invoice>>>>
  readonly per_month: Readonly<Record<string, { readonly sum_of_half_up_invoices: string }>>
}
type Known = {
  readonly plans: {
    readonly P1_tokens_per_model: { readonly models: Readonly<Record<string, Readonly<Record<string, string>>>> }
    readonly P2_graduated_total_tokens: {
      readonly tiers: readonly { readonly up_to: number | null; readonly per_million: string; readonly flat_fee: string }[]
    }
  }
  readonly invoices: {
    readonly P1_tokens_per_model: ByCustomer<KnownInvoice<{ readonly kind: string; readonly model: string }>>
    readonly P2_graduated_total_tokens: ByCustomer<KnownInvoice<{ readonly tier: number }, { readonly quantity: number }>>
  }
}

const period = { startMs: Date.UTC(2023, 10, 1) as InstantMs, endMs: Date.UTC(2023, 11, 1) as InstantMs }

/** 97 customers; the invoices of one month each. */
function monthsOf<Invoice>(plan: ByCustomer<Invoice>): readonly (readonly [customer: string, Invoice])[] {
  return Object.entries(plan.per_customer_month).flatMap(([customer, months]) =>
    Object.entries(months).map(([month, invoice]) => [`${customer} ${month}`, invoice] as const),
  )
}

function charge(key: string, price: unknown): Charge {
  return { key, feature: key as FeatureKey, filter: {}, price: orThrow<Price>(validatePrice(price)) }
}

function invoiceOf(charges: readonly Charge[], usage: ReadonlyMap<string, bigint>) {
  return rateInvoice({ planVersion: { currency: 'USD', baseFee: null, charges }, period, usage })
}

describe.runIf(isPresent)('the known invoices of the real trace', () => {
  const known = isPresent ? (JSON.parse(readFileSync(FILE, 'utf8')) as Known) : undefined
  if (known === undefined) return

  test('per model and direction: every line exact and rounded, totals as the sum of lines', () => {
    const { models } = known.plans.P1_tokens_per_model
    const charges = Object.entries(models).flatMap(([model, prices]) =>
      Object.entries(prices).map(([kind, unitAmount]) => charge(`${model} ${kind}`, { model: 'flat', unitAmount, per: 1_000_000 })),
    )
    const months = monthsOf(known.invoices.P1_tokens_per_model)
    expect(months).toHaveLength(97)
    for (const [customer, expected] of months) {
      const usage = new Map(expected.lines.map((line) => [`${line.model} ${line.kind}`, BigInt(line.quantity) * NANO]))
      const actual = invoiceOf(charges, usage)
      const lines = new Map(actual.lines.map((line) => [line.kind === 'usage' ? line.charge : 'base', line]))
      for (const { model, kind, quantity, amount } of expected.lines) {
        expect(lines.get(`${model} ${kind}`), customer).toMatchObject({
          quantity: String(quantity),
          exact: amount.exact,
          amount: amount.half_up_2dp,
        })
      }
      expect(actual.total, customer).toBe(expected.sum_of_rounded_lines_half_up)
    }
  })

  test('graduated over all tokens: every tier exact, one line rounded once', () => {
    const tiers = known.plans.P2_graduated_total_tokens.tiers.map((tier) => ({
      upTo: tier.up_to,
      unitAmount: tier.per_million,
      flatAmount: tier.flat_fee,
    }))
    const charges = [charge('total', { model: 'tiered', per: 1_000_000, tiers })]
    const months = monthsOf(known.invoices.P2_graduated_total_tokens)
    expect(months).toHaveLength(97)
    for (const [customer, expected] of months) {
      const actual = invoiceOf(charges, new Map([['total', BigInt(expected.quantity) * NANO]]))
      expect(actual.lines, customer).toHaveLength(1)
      expect(actual.lines[0], customer).toMatchObject({
        quantity: String(expected.quantity),
        exact: expected.total.exact,
        amount: expected.total.half_up_2dp,
        tiers: expected.lines.map(({ tier, quantity, amount }) => ({ tier, quantity: String(quantity), exact: amount.exact })),
      })
      expect(actual.total, customer).toBe(expected.total.half_up_2dp)
    }
  })
})

if (!isPresent) test.skip('NOT RUN: the known invoices of the real trace, as ../shared/data is not there', () => {})
