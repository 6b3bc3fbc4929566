import type { Balance } from './balance.ts'
import type { CallOptions, HttpCaller } from './http-caller.ts'
import type { Invoice, InvoiceQuery, UpcomingInvoice } from './invoice.ts'
import type { Usage, UsageQuery } from './usage.ts'

type ReadOptions = { readonly signal?: AbortSignal }

/** What is known; needs a key with the scope `read`. */
export type Reads = {
  /** What the customer has left of every feature. */
  balances(customer: string, options?: ReadOptions): Promise<readonly Balance[]>
  balance(customer: string, feature: string, options?: ReadOptions): Promise<Balance>
  /** What a meter counted: one row per window and group, in this order. */
  usage(meter: string, query?: UsageQuery, options?: ReadOptions): Promise<Usage>
  /** Final documents, oldest first, page by page as they are read; drafts with `status: 'draft'` and a customer or subscription. */
  invoices(query?: InvoiceQuery, options?: ReadOptions): AsyncIterable<Invoice>
  invoice(id: string, options?: ReadOptions): Promise<Invoice>
  /** The billing period so far, before coupons, credits and taxes; `at` names another period. */
  upcomingInvoice(subscription: string, options?: ReadOptions & { readonly at?: Date | string }): Promise<UpcomingInvoice>
}

export function createReads(call: HttpCaller): Reads {
  const get = <Answer>(path: string, { signal }: ReadOptions = {}) =>
    call<Answer>(path, null, signal ? { signal } : ({} satisfies CallOptions))

  async function* invoices({ pageSize = 100, ...query }: InvoiceQuery = {}, options?: ReadOptions): AsyncGenerator<Invoice> {
    let cursor: string | null | undefined
    do {
      const asked = { ...query, limit: pageSize, ...(typeof cursor === 'string' ? { cursor } : {}) }
      const page = await get<Page<Invoice>>(`/v1/invoices${queryText(asked)}`, options)
      yield* page.data
      cursor = page.nextCursor
    } while (cursor !== null)
  }

  return {
    async balances(customer, options) {
      return (await get<Page<Balance>>(`/v1/customers/${encodeURIComponent(customer)}/balances`, options)).data
    },
    balance: (customer, feature, options) =>
      get(`/v1/customers/${encodeURIComponent(customer)}/balances/${encodeURIComponent(feature)}`, options),
    usage(meter, { groupBy, filter = {}, ...query } = {}, options) {
      const filters = Object.entries(filter).map(([dimension, values]) => [`filter[${dimension}]`, values] as const)
      const asked = { ...query, ...(groupBy ? { groupBy: groupBy.join(',') } : {}), ...Object.fromEntries(filters) }
      return get(`/v1/meters/${encodeURIComponent(meter)}/usage${queryText(asked)}`, options)
    },
    invoices,
    invoice: (id, options) => get(`/v1/invoices/${encodeURIComponent(id)}`, options),
    upcomingInvoice: (subscription, { at, ...options } = {}) =>
      get(`/v1/subscriptions/${encodeURIComponent(subscription)}/upcoming-invoice${queryText({ at })}`, options),
  }
}

type Page<Row> = { readonly data: readonly Row[]; readonly nextCursor: string | null }
type Parameter = string | number | Date | readonly string[] | undefined

/** A list repeats its parameter. Empty where nothing is asked. */
function queryText(parameters: Readonly<Record<string, Parameter>>): string {
  const query = new URLSearchParams()
  for (const [name, given] of Object.entries(parameters)) {
    for (const value of [given].flat()) if (value !== undefined) query.append(name, textOf(value))
  }
  return query.size === 0 ? '' : `?${query}`
}

function textOf(value: string | number | Date): string {
  return value instanceof Date ? value.toISOString() : String(value)
}
