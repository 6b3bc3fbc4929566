import { currencyOf, money, parseMoney } from '../../../domain/billing/money.ts'
import { readTenantKey } from '../../../domain/identity.ts'
import { isRefusal, refuse } from '../../../domain/refusal.ts'
import { NOTICE_EFFECTS, type NoticeEffect } from '../../../domain/selling/payment-attempt.ts'
import type { PaymentProvider, ProviderNotice } from '../payments.ts'

/**
 * Stands in for a provider, and moves no money: its page is one of ours, on which whoever looks at it decides how the payment goes. It
 * keeps nothing, so its notices say all that there is to know, and are not signed: the server starts with it only where that is wanted.
 */
export function createTestPayments(): PaymentProvider {
  return {
    name: 'test',
    leastAmount: () => null,
    prepare: async ({ attempt }) => ({ kind: 'page', url: `/pay/test/${attempt}`, reference: `test_${attempt}` }),
    giveBack: async () => undefined,
    readNotices: async ({ bytes }) => readNotice(bytes) ?? refuse('bad_signature', { provider: 'test' }),
  }
}

/** `{id, attempt, effect, amount, currency, refunded?, tenant?}`; amounts are decimal texts. Null when it is something else. */
function readNotice(bytes: Buffer): readonly ProviderNotice[] | null {
  const told = parsed(bytes)
  if (told === null) return null
  const { id, attempt, effect, amount, currency: code, refunded, tenant = 'default' } = told
  const known = NOTICE_EFFECTS.find((each) => each === effect)
  const currency = typeof code === 'string' ? currencyOf(code) : null
  const owner = typeof tenant === 'string' ? readTenantKey(tenant) : null
  if (typeof id !== 'string' || typeof attempt !== 'string' || known === undefined || owner === null) return null
  if (currency === null || isRefusal(currency) || typeof amount !== 'string') return null
  const [paid, back] = [amount, refunded ?? '0'].map((text) =>
    typeof text === 'string' ? parseMoney(currency, text) : money(currency, 0n),
  )
  if (paid === undefined || back === undefined || isRefusal(paid) || isRefusal(back)) return null
  const notice: ProviderNotice = { id, attempt, effect: known satisfies NoticeEffect, currency: currency.code, amount: paid, tenant: owner }
  return [refunded === undefined ? notice : { ...notice, refunded: back }]
}

function parsed(bytes: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
