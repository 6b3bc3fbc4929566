import type { BillingInputsReader } from '../../adapters/database/billing-inputs/billing-inputs-reader.ts'
import { accountName } from '../../domain/billing/billing-inputs.ts'
import { type Credit, leftOf } from '../../domain/billing/credit.ts'
import { type Currency, type Money, minus, sum } from '../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { isRefusal } from '../../domain/refusal.ts'
import type { UsageReader } from '../../usage/usage-reader.ts'
import { questionsOf } from '../invoices/usage-questions.ts'
import { billingStateOf } from '../runs/billing-states.ts'
import { readPageUsage } from '../runs/page-usage.ts'
import { partsSoFar } from '../steps/plan-parts.ts'
import { pricePart } from '../steps/price-parts.ts'
import { settle } from '../steps/settle.ts'

export type Wallet = {
  readonly credits: readonly Credit[]
  /** What credits have left by the book. */
  readonly booked: Money
  /** Usage that no final document has yet, after coupons and before tax. */
  readonly pending: Money
  readonly available: Money
}

export type WalletDeps = {
  readonly inputs: BillingInputsReader
  readonly usageReader: Pick<UsageReader, 'period' | 'periods'>
}

/** A customer's credits in one currency, and the usage that waits to be paid: priced as the next documents will, of what is counted by now. */
export async function readWallet(
  { inputs: reader, usageReader }: WalletDeps,
  of: { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly currency: Currency; readonly nowMs: InstantMs },
): Promise<Wallet> {
  const { tenant, customer, currency, nowMs } = of
  const inputs = await reader.read(tenant, [customer])
  const cutOff = { partition: 0 as Partition, offset: 0 as Offset }
  const asked = [...inputs.subscriptions.keys()].flatMap((id) => {
    const state = billingStateOf(inputs, id, cutOff)
    if (isRefusal(state) || state.currency.code !== currency.code) return []
    const parts = partsSoFar(state, nowMs)
    return [{ state, parts, questions: questionsOf(state, parts) }]
  })
  const usageOf = await readPageUsage(usageReader, inputs, asked)
  const pending = sum(
    asked.flatMap(({ state, parts }) => {
      const drafts = parts.flatMap((part) => pricePart(state, part, nowMs, usageOf(state.subscription.id)))
      const used = drafts.map(({ line }) => line).filter(({ kind }) => kind !== 'trueUp')
      const { totals } = settle(used, { ...state.purse, credits: [] })
      return [minus(totals.subtotal, totals.discount)]
    }),
  )
  const { credits = [] } = inputs.accounts.get(accountName(customer, currency.code)) ?? {}
  const booked = sum(credits.map((credit) => leftOf(credit)))
  return { credits: credits.filter((credit) => leftOf(credit) > 0n), booked, pending, available: minus(booked, pending) }
}
