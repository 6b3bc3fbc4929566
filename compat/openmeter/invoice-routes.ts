import { formatAmount, parseAmount } from '../../domain/money.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { runningSubscription } from '../customers.ts'
import { unlessRefused } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { given } from './bodies.ts'
import { cutPage, listOf, pageOf } from './lists.ts'

/** What customers owe so far: OpenMeter's gathering invoice is our upcoming one. */
export async function invoiceRoutes(app: HttpApp, { own, clock }: VendorKit): Promise<void> {
  app.get('/api/v1/billing/invoices', { config: ANY_KEY }, async (request) => {
    const { query } = request
    const statuses = listOf(query, 'statuses')
    const customers = listOf(query, 'customers')
    if (customers.length === 0) return refuseInput('customers', 'customers must be given', 'missing')
    if (!statuses.includes('gathering')) return refuseInput('statuses', 'only gathering invoices are served: statuses must hold gathering')
    const tollgate = own(request)
    const found = []
    for (const id of customers.slice(0, CUSTOMERS_MAX)) {
      const customer = await unlessRefused(tollgate.customer(id), 'unknown_customer')
      const subscription = customer === null ? null : await runningSubscription(tollgate, customer.key)
      if (customer === null || subscription === null) continue
      const { currency, period, lines, total } = await tollgate.upcomingInvoice(subscription.id)
      const span = { from: period.start, to: period.end }
      const priced = lines.map((line, index) => ({
        ...{ id: `${subscription.id}:${line.charge ?? index}`, name: line.charge ?? 'Base fee', ...given({ featureKey: line.feature }) },
        ...{ quantity: line.quantity, period: span, currency, status: 'valid', managedBy: 'subscription', invoiceAt: period.end },
        ...{ type: line.kind === 'usage' ? 'usage_based' : 'flat_fee', totals: totalsOf(line.amount) },
        ...{ createdAt: period.start, updatedAt: new Date(clock.now()).toISOString() },
      }))
      found.push({
        ...{
          id: `gathering:${customer.key}:${currency}`,
          type: 'standard',
          status: 'gathering',
          currency,
          number: `GATHER-${customer.key}`,
        },
        customer: {
          id: customer.key,
          key: customer.key,
          name: customer.name ?? customer.key,
          usageAttribution: { subjectKeys: [customer.key, ...customer.subjects] },
        },
        ...{ supplier: { name: request.principal.tenant }, totals: totalsOf(total), period: span, workflow: {} },
        ...(listOf(query, 'expand').includes('lines') ? { lines: priced } : {}),
        statusDetails: { immutable: false, failed: false, extendedStatus: 'gathering', availableActions: {} },
        ...{ createdAt: period.start, updatedAt: new Date(clock.now()).toISOString() },
      })
    }
    return cutPage(pageOf(query), found)
  })
}

const CUSTOMERS_MAX = 100

/** Before coupons, credits and taxes. */
function totalsOf(amount: string) {
  const total = formatAmount(parseAmount(amount) ?? 0n)
  const none = { discountsTotal: '0', creditsTotal: '0', taxesInclusiveTotal: '0', taxesExclusiveTotal: '0', taxesTotal: '0' }
  return { amount: total, chargesTotal: '0', ...none, total }
}
