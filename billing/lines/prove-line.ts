import type { InvoiceInputsReader } from '../../adapters/database/invoices/invoice-inputs-reader.ts'
import { aggregateOfRow, type UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { type Currency, currencyOf, minus, moneyText, zero } from '../../domain/billing/money.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { InstantMs, Offset, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { aggregateValue, mergeAggregates } from '../../domain/metering/metering.ts'
import { orThrow } from '../../domain/refusal.ts'
import { readEventUsage } from '../../usage/event-usage.ts'
import { chargeTarget } from '../steps/price-parts.ts'
import { serviceParts } from '../steps/service-parts.ts'
import { type CountedLine, msOf } from './counted-line.ts'

export type ProveLineDeps = {
  readonly usageStore: Pick<UsageStore, 'scanEvents'>
  readonly invoiceInputs: Pick<InvoiceInputsReader, 'read'>
}

/** `recomputed` is null when the plan version that priced the line is not on the subscription any more. */
export type Proof = {
  readonly quantity: string
  readonly recounted: string
  readonly amount: string
  readonly recomputed: string | null
  readonly agrees: boolean
}

/** Where the line stands: of which subscription, in which currency. */
export type LineOf = { readonly tenant: TenantKey; readonly subscription: SubscriptionId | null; readonly currency: string }

/**
 * Counts a line again from the events alone, by the meter as it was then, and prices it again: what lies below the line's end in the
 * log, less what lies below its beginning, as the first is on earlier lines.
 */
export async function proveLine({ usageStore, invoiceInputs }: ProveLineDeps, of: LineOf, counted: CountedLine): Promise<Proof> {
  const { line, fromOffset, toOffset } = counted
  const currency = orThrow(currencyOf(of.currency))
  const [beforeNano, afterNano] = [await countEvents(usageStore, counted, fromOffset), await countEvents(usageStore, counted, toOffset)]
  const price = await pricing(invoiceInputs, of, counted, currency)
  // A line that corrects is less what the part came to before; a first one is all of it, also where nothing has a price.
  const recomputed = price === null ? null : minus(price(afterNano), line.kind === 'adjustment' ? price(beforeNano) : zero())
  const [quantity, amount] = [line.quantity ?? '0', line.amount]
  const again = {
    recounted: formatQuantity(afterNano - beforeNano),
    recomputed: recomputed === null ? null : moneyText(currency, recomputed),
  }
  const agrees = parseQuantity(quantity) === afterNano - beforeNano && (again.recomputed === null || again.recomputed === amount)
  return { quantity, amount, ...again, agrees }
}

/** The price of a quantity on the line's part, by the plan version that it was billed by. */
async function pricing<C extends string>(
  invoiceInputs: ProveLineDeps['invoiceInputs'],
  { tenant, subscription: id }: LineOf,
  { line }: CountedLine,
  currency: Currency<C>,
) {
  if (id === null) return null
  const { subscriptions, planVersions } = await invoiceInputs.read(tenant, [id])
  const subscription = subscriptions.get(id)
  if (subscription === undefined) return null
  const startMs = msOf(line.from)
  const [part] = serviceParts({ subscription, planVersions }, { startMs, endMs: (startMs + 1) as InstantMs })
  const charge = part?.plan.charges.find(({ key }) => key === line.item)
  if (part === undefined || charge === undefined || part.plan.plan !== line.plan || part.plan.version !== line.planVersion) return null
  return (quantityNano: bigint) => chargeTarget(currency, part, charge, quantityNano).target
}

/** Groups of one customer in a minute are few: by no dimension there is one. */
const ROWS_MAX = 10

async function countEvents(usageStore: ProveLineDeps['usageStore'], counted: CountedLine, toOffset: Offset): Promise<bigint> {
  const { meter, filter, customer, stretches, partition } = counted
  if (toOffset === 0 || stretches.length === 0) return 0n
  const asked = stretches.map((period) => ({ customer, period }))
  const rows = (await readEventUsage(usageStore, { meter, groupBy: [], filter }, asked, { partition, toOffset, rowsMax: ROWS_MAX })).flat()
  const [first, ...rest] = rows.map(aggregateOfRow)
  return first === undefined ? 0n : (aggregateValue(meter.aggregation, rest.reduce(mergeAggregates, first)) ?? 0n)
}
