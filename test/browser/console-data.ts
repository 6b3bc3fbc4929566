import type { TollgateProcess } from '../support/servers/tollgate-process.ts'
import { waitFor } from '../support/servers/tollgate-process.ts'

const HOUR_MS = 3_600_000
const MODELS = ['large', 'small', 'vision', 'embed'] as const

/** A small product with usage of two days, a customer with a closed subscription's invoice, and events that count for nothing. */
export async function fillConsole({ ok }: TollgateProcess): Promise<{ readonly invoice: string }> {
  const meter = { eventType: 'llm.request', aggregation: 'sum', value: 'tokens', dimensions: { model: 'model' } }
  await ok('PUT', '/v1/meters/tokens', meter)
  await ok('PUT', '/v1/features/tokens', { name: 'AI tokens', type: 'metered', meter: 'tokens', unit: 'tokens' })
  await ok('PUT', '/v1/products/assistant', { name: 'Assistant' })
  await ok('PUT', '/v1/tax-rates/vat-20', { name: 'VAT', percent: '20' })
  await ok('PUT', '/v1/coupons/LAUNCH10', { percent: '10', duration: 'forever' })
  await ok('PUT', '/v1/billing-settings', { graceMs: 0, seller: { name: 'Northwind AI' }, taxRates: ['vat-20'] })
  for (const [key, baseFee] of [
    ['pro', '20.00'],
    ['scale', '499.00'],
  ] as const)
    await ok('PUT', `/v1/plans/${key}`, planOf(key, baseFee))
  const startAt = new Date(Date.now() - 48 * HOUR_MS).toISOString()
  const subscriptions = new Map<string, string>()
  for (const [key, name, plan] of [
    ['acme', 'Acme Robotics', 'scale'],
    ['halden', 'Halden Maps', 'pro'],
    ['ostara', 'Ostara Health', 'pro'],
  ] as const) {
    await ok('PUT', `/v1/customers/${key}`, { name, email: `billing@${key}.example` })
    subscriptions.set(key, (await ok<{ id: string }>('POST', '/v1/subscriptions', { customer: key, plan, startAt })).id)
  }
  await ok('POST', '/v1/events', usageEvents())
  await ok('GET', '/v1/events?limit=1&waitMs=9000')
  await ok('POST', '/v1/customers/acme/credits', { amount: '1206.45', paid: '1000', currency: 'USD' })
  await ok('POST', `/v1/subscriptions/${subscriptions.get('halden')}/cancel`, { at: 'now' })
  const run = await ok<{ id: string }>('POST', '/v1/billing-runs', { customers: ['halden'] })
  await waitFor(async () => (await ok<{ status: string }>('GET', `/v1/billing-runs/${run.id}`)).status === 'finished')
  const { data } = await ok<{ data: { id: string; lines: { trace?: object }[] }[] }>('GET', '/v1/invoices?customer=halden')
  return { invoice: data.find(({ lines }) => lines.some(({ trace }) => trace !== undefined))?.id ?? '' }
}

function planOf(key: string, baseFee: string) {
  const price = {
    model: 'tiered',
    per: '1000000',
    tiers: [
      { upTo: '100000', unitAmount: '0' },
      { upTo: null, unitAmount: '300' },
    ],
  }
  return {
    ...{ product: 'assistant', name: key === 'pro' ? 'Pro' : 'Scale', currency: 'USD', interval: 'month', baseFee },
    charges: [{ key: 'tokens', feature: 'tokens', price }],
    entitlements: [{ feature: 'tokens', limit: '2000000', limitType: 'hard', reset: 'interval' }],
  }
}

function usageEvents(): readonly object[] {
  const now = Date.now()
  const counted = ['acme', 'halden', 'ostara'].flatMap((customer, which) =>
    Array.from({ length: 96 }, (_, at) => ({
      ...{ id: `req-${customer}-${at}`, type: 'llm.request', customer, time: new Date(now - (at + 0.5) * (HOUR_MS / 2)).toISOString() },
      data: { model: MODELS[at % MODELS.length], tokens: 1_000 * (3 - which) + ((at * 7_919) % 4_000) },
    })),
  )
  const without = Array.from({ length: 3 }, (_, at) => ({
    ...{ id: `bad-${at}`, type: 'llm.request', customer: 'ostara', time: new Date(now - at * 60_000).toISOString() },
    data: { model: 'vision' },
  }))
  return [...counted, ...without, { id: 'sync-1', type: 'crm.sync', customer: 'ostara', time: new Date(now).toISOString(), data: {} }]
}
