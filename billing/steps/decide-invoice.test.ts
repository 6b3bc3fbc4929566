import { describe, expect, test } from 'vitest'
import type { Coupon } from '../../domain/billing/coupon.ts'
import type { InvoiceDocument } from '../../domain/billing/invoice.ts'
import type { Money } from '../../domain/billing/money.ts'
import type { Price } from '../../domain/catalog/price.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import { formatRational } from '../../domain/rational.ts'
import { createBillingStory, type StoryPlan } from '../../test/support/billing/billing-story.ts'
import { casesOf, instant, moneyOf } from '../../test/support/billing/billing-vectors.ts'
import { type InvoiceRecord, invoiceRecord } from '../invoices/invoice-record.ts'

type Step = {
  readonly at: string
  readonly do: 'usage' | 'change' | 'cancel' | 'bill'
  readonly feature?: string
  readonly quantity?: string
  readonly occurredAt?: string
  readonly plan?: string
  readonly when?: 'now' | 'periodEnd'
}
type Input = {
  readonly currency: string
  readonly plans: Readonly<Record<string, StoryPlan>>
  readonly settings: object
  readonly subscription: {
    readonly plan: string
    readonly startAt: string
    readonly anchor?: string
    readonly coupons?: readonly { readonly percent: string }[]
  }
  readonly timeline: readonly Step[]
}

const iso = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')

describe('the worked lives', () => {
  test.each(casesOf<Input, { documents: readonly object[]; balance: string }>('scenario'))('$id', ({ input, expected }) => {
    const { currency, text } = moneyOf(input.currency)
    const { subscription } = input
    const story = createBillingStory({
      ...{ currency: input.currency, plans: input.plans, plan: subscription.plan, startMs: instant(subscription.startAt) },
      ...(subscription.anchor && { anchorMs: instant(subscription.anchor) }),
      settings: input.settings,
      coupons: () =>
        (subscription.coupons ?? []).map(({ percent }, index): Coupon => {
          const percentNano = parseQuantity(percent) ?? -1n
          return { id: `c${index}`, reduction: { kind: 'percent', percentNano }, features: null, usesLeft: null }
        }),
    })
    for (const step of input.timeline) {
      const atMs = instant(step.at)
      if (step.do === 'bill') story.run(atMs)
      else if (step.do === 'change') story.change(step.plan ?? '', atMs, step.when)
      else if (step.do === 'cancel') story.cancel(atMs, step.when)
      else {
        const occurredAtMs = instant(step.occurredAt ?? step.at)
        story.use({ feature: step.feature ?? '', occurredAtMs, quantityNano: parseQuantity(step.quantity ?? '') ?? -1n })
      }
    }
    const short = (time: unknown) => String(time).replace('.000Z', 'Z')
    const shown = (document: InvoiceDocument) => {
      const record = invoiceRecord(currency, document)
      const lines = (record.lines as readonly InvoiceRecord[]).map(({ kind, item, plan, from, to, quantity, amount, discount }) => ({
        ...{ kind, plan, from: short(from), to: short(to), amount },
        ...(item !== undefined && { item }),
        ...(quantity !== undefined && { quantity }),
        ...(discount !== '0.00' && { discount }),
      }))
      const { document: what, kind, closesAt, finalisedAt, net, tax, total, balanceApplied, due } = record
      return {
        ...{ document: what, kind, closes: short(closesAt), finalisedAt: short(finalisedAt), lines },
        ...{ net, tax, total, balanceApplied, due },
      }
    }
    expect({ documents: story.documents().map(shown), balance: text(story.state().purse.balance) }).toEqual(expected)
  })
})

type LateInput = {
  readonly currency: string
  readonly price: Price
  readonly finalisations: readonly { readonly usage: readonly string[] }[]
  readonly minimum?: string
  readonly maximum?: string
  readonly discountPercent?: string
}

describe('usage that comes after the invoice', () => {
  test.each(casesOf<LateInput, object>('lateUsage'))('$id', ({ input, expected }) => {
    const { text } = moneyOf(input.currency)
    const charge = { key: 'u', feature: 'u', price: input.price, ...(input.maximum && { maximum: input.maximum }) }
    const story = createBillingStory({
      currency: input.currency,
      plans: { p: { interval: 'month', charges: [charge], ...(input.minimum && { minimum: { amount: input.minimum } }) } },
      ...{ plan: 'p', startMs: instant('2026-01-01T00:00:00Z') },
      // Every month's document counts January again.
      settings: { lateWindowMs: 400 * 86_400_000, issueZero: true },
      coupons: () => {
        const percentNano = parseQuantity(input.discountPercent ?? '0') ?? -1n
        return percentNano === 0n ? [] : [{ id: 'c', reduction: { kind: 'percent', percentNano }, features: null, usesLeft: null }]
      },
    })
    story.run(instant('2026-01-01T00:00:00Z'))
    const lines = input.finalisations.map(({ usage }, index) => {
      for (const quantity of usage) {
        story.use({ feature: 'u', occurredAtMs: instant('2026-01-10T00:00:00Z'), quantityNano: parseQuantity(quantity) ?? -1n })
      }
      const made = story.run(instant(`2026-0${index + 2}-01T02:00:00Z`))
      const january = made
        .flatMap(({ document }) => document?.lines ?? [])
        .filter(({ period }) => iso(period.startMs).startsWith('2026-01-01'))
      const line = january.find(({ item }) => item === 'u')
      const missing = january.find(({ kind }) => kind === 'trueUp')
      if (line === undefined || line.exact === null || line.quantityNano === null) throw new Error('January has a line')
      return {
        ...{ kind: line.kind, quantity: formatQuantity(line.quantityNano), amount: text(line.amount), exact: formatRational(line.exact) },
        ...(input.minimum && { trueUp: text(missing?.amount ?? (0n as Money)) }),
        ...(input.discountPercent && { discount: text(line.discount) }),
      }
    })
    const billed = story
      .documents()
      .flatMap((document) => document.lines)
      .filter(({ period }) => iso(period.startMs).startsWith('2026-01-01'))
      .reduce((left, { amount }) => left + amount, 0n) as Money
    expect({ lines, billed: text(billed) }).toEqual(expected)
  })
})
