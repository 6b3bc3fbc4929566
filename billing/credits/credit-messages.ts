import type { OutboxMessage } from '../../adapters/database/outbox/outbox-store.ts'
import { type Credit, leftOf } from '../../domain/billing/credit.ts'
import { type Currency, currencyOf, type Money, minus, moneyText } from '../../domain/billing/money.ts'
import type { CustomerKey, InstantMs } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'

/** What is told of a customer's credits in one currency after a decision: granted by a plan, expired, used up. */
export function creditMessages(
  of: { readonly customer: CustomerKey; readonly currency: string },
  before: readonly Credit[],
  after: readonly Credit[],
  createdAtMs: InstantMs,
): readonly OutboxMessage[] {
  const currency = orThrow(currencyOf(of.currency))
  const earlier = new Map(before.map((credit) => [credit.id, credit]))
  return after.flatMap((credit) => {
    const was = earlier.get(credit.id)
    const told: OutboxMessage[] = []
    const tell = (type: OutboxMessage['type'], amount: Money) =>
      told.push({ type, object: credit.id, data: creditData(of.customer, currency, credit, amount), createdAtMs })
    if (was === undefined) tell('credit.granted', credit.amount)
    const expired = minus(credit.expired, was?.expired ?? (0n as Money))
    if (expired > 0n) tell('credit.expired', expired)
    const isUsedUp = leftOf(credit) === 0n && credit.burned > (was?.burned ?? 0n)
    if (isUsedUp && expired === 0n) tell('credit.depleted', credit.burned)
    return told
  })
}

function creditData(customer: CustomerKey, currency: Currency, credit: Credit, amount: Money): object {
  return {
    ...{ customer, currency: currency.code, credit: credit.id },
    ...{ amount: moneyText(currency, amount), left: moneyText(currency, leftOf(credit)) },
  }
}
