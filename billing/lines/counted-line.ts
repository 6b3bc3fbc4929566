import type { InvoiceStore, StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import { invariant } from '../../base/invariant.ts'
import type { CustomerKey, InstantMs, Offset, Partition, Period, TenantKey } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { type Outcome, refuse } from '../../domain/refusal.ts'
import { parseInstantText } from '../../domain/time/instant-text.ts'
import { type InvoiceJson, invoiceJson } from '../documents/invoice-json.ts'

/** What a line counts: stretches of event time by a stretch of the log, by the meter as it was then. */
export type CountedLine = {
  readonly line: InvoiceJson['lines'][number]
  readonly customer: CustomerKey
  readonly meter: Meter
  readonly filter: DimensionFilter
  readonly stretches: readonly Period[]
  readonly partition: Partition
  /** What lies below is on earlier lines. */
  readonly fromOffset: Offset
  readonly toOffset: Offset
}

/** Refuses `unknown_line` and, where nothing was counted, `line_not_counted`. */
export async function countedLine(
  invoices: Pick<InvoiceStore, 'meter'>,
  tenant: TenantKey,
  invoice: StoredInvoice,
  key: string,
): Promise<Outcome<CountedLine>> {
  const line = invoiceJson(invoice).lines.find((each) => each.line === key)
  if (line === undefined) return refuse('unknown_line', { line: key })
  if (line.trace === undefined || line.quantity === undefined) return refuse('line_not_counted', { line: key, kind: line.kind })
  const { trace } = line
  const meter = await invoices.meter(tenant, trace.meter, trace.revision)
  invariant(meter !== null, `meter ${trace.meter} is kept with the first line that counts by it`)
  return {
    ...{ line, customer: invoice.customer, meter, filter: trace.filter },
    stretches: (trace.stretches ?? [trace]).map(({ from, to }) => ({ startMs: msOf(from), endMs: msOf(to) })),
    ...{ partition: trace.partition as Partition, fromOffset: trace.offsetFrom as Offset, toOffset: trace.offsetTo as Offset },
  }
}

export function msOf(instant: string): InstantMs {
  const ms = parseInstantText(instant)
  invariant(ms !== undefined, `a document holds instants, and ${instant} is none`)
  return ms
}
