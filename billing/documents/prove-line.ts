import type { InvoiceStore, StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import { aggregateOfRow, type UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, InstantMs, Offset, Partition, Period, TenantKey } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { aggregateValue, mergeAggregates } from '../../domain/metering/metering.ts'
import { type Outcome, refuse } from '../../domain/refusal.ts'
import { parseInstantText } from '../../domain/time/instant-text.ts'
import { readEventUsage } from '../../usage/event-usage.ts'
import { invoiceJson } from './invoice-json.ts'

export type ProveLineDeps = { readonly invoices: Pick<InvoiceStore, 'meter'>; readonly usageStore: Pick<UsageStore, 'scanEvents'> }

export type Proof = { readonly quantity: string; readonly recounted: string; readonly agrees: boolean }

/**
 * Counts a line again from the events alone, by the meter as it was then: what lies below the line's end in the log less what
 * lies below its beginning, as the first is on earlier lines. Refuses `unknown_line` and, where nothing was counted, `line_not_counted`.
 */
export async function proveLine(
  { invoices, usageStore }: ProveLineDeps,
  tenant: TenantKey,
  invoice: StoredInvoice,
  key: string,
): Promise<Outcome<Proof>> {
  const line = invoiceJson(invoice).lines.find((each) => each.line === key)
  if (line === undefined) return refuse('unknown_line', { line: key })
  if (line.trace === undefined || line.quantity === undefined) return refuse('line_not_counted', { line: key, kind: line.kind })
  const { trace } = line
  const meter = await invoices.meter(tenant, trace.meter, trace.revision)
  invariant(meter !== null, `meter ${trace.meter} is kept with the first line that counts by it`)
  const stretches = (trace.stretches ?? [trace]).map(({ from, to }): Period => ({ startMs: msOf(from), endMs: msOf(to) }))
  const countTo = (offset: number) =>
    countEvents(usageStore, { meter, filter: trace.filter }, invoice.customer, stretches, trace.partition as Partition, offset as Offset)
  const recountedNano = (await countTo(trace.offsetTo)) - (await countTo(trace.offsetFrom))
  return {
    quantity: line.quantity,
    recounted: formatQuantity(recountedNano),
    agrees: parseQuantity(line.quantity) === recountedNano,
  }
}

/** Groups of one customer in a minute are few: by no dimension there is one. */
const ROWS_MAX = 10

async function countEvents(
  usageStore: Pick<UsageStore, 'scanEvents'>,
  { meter, filter }: { readonly meter: Meter; readonly filter: DimensionFilter },
  customer: CustomerKey,
  stretches: readonly Period[],
  partition: Partition,
  toOffset: Offset,
): Promise<bigint> {
  if (toOffset === 0 || stretches.length === 0) return 0n
  const asked = stretches.map((period) => ({ customer, period }))
  const shape = { meter, groupBy: [], filter }
  const rows = (await readEventUsage(usageStore, shape, asked, { partition, toOffset, rowsMax: ROWS_MAX })).flat()
  const [first, ...rest] = rows.map(aggregateOfRow)
  return first === undefined ? 0n : (aggregateValue(meter.aggregation, rest.reduce(mergeAggregates, first)) ?? 0n)
}

function msOf(instant: string): InstantMs {
  const ms = parseInstantText(instant)
  invariant(ms !== undefined, `a document holds instants, and ${instant} is none`)
  return ms
}
