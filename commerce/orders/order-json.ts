import { currencyOf, moneyText } from '../../domain/billing/money.ts'
import { orThrow } from '../../domain/refusal.ts'
import type { Order } from '../../domain/selling/order.ts'
import { instantJson } from '../../schemas/http/instants.ts'

/** An order as it is answered and told. */
export function orderJson(order: Order) {
  const { id, customer, plan, planVersion, quantity, currency: code, status, invoice, checkout, metadata, endMs, paidMs, createdMs } = order
  const currency = orThrow(currencyOf(code))
  return {
    ...{ id, customer, plan, planVersion, quantity, currency: code, status, invoice, checkout, metadata },
    ...{ paid: moneyText(currency, order.paid), refunded: moneyText(currency, order.refunded) },
    ...{ createdAt: instantJson(createdMs), paidAt: paidMs === null ? null : instantJson(paidMs) },
    ...{ startsAt: order.startMs === null ? null : instantJson(order.startMs), endsAt: endMs === null ? null : instantJson(endMs) },
  }
}
