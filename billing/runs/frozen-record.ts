import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import type { InvoiceDocument, InvoiceLine } from '../../domain/billing/invoice.ts'
import type { Charge } from '../../domain/catalog/plan.ts'
import type { CustomerKey, InstantMs, Period } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import type { Json } from '../invoices/content-hash.ts'
import { type InvoiceRecord, invoiceRecord } from '../invoices/invoice-record.ts'
import type { BillingState } from '../steps/billing-state.ts'
import { ownStretches } from '../steps/own-stretches.ts'
import { serviceParts } from '../steps/service-parts.ts'

type RecordInputs = Pick<BillingInputs, 'settings' | 'customers' | 'features' | 'meters'>

/** The record of a subscription's document, with where each counted line comes from. It lacks the number alone. */
export function frozenRecord(inputs: RecordInputs, state: BillingState, document: InvoiceDocument): InvoiceRecord {
  const record = invoiceRecord(state.currency, document)
  const lines = (record.lines as readonly InvoiceRecord[]).map((line, at) => {
    const counted = document.lines[at]
    if (counted === undefined) return line
    const trace = traceOf(inputs, state, document, counted)
    const unit = inputs.features.find(({ key }) => key === counted.feature)?.unit ?? null
    return { ...line, ...(unit !== null && counted.quantityNano !== null && { unit }), ...(trace !== null && { trace }) }
  })
  return { ...record, ...partiesOf(inputs, document.customer), lines }
}

/** Seller and customer as they are at this moment: no later change of either reaches the document. */
export function partiesOf(
  { settings: { seller }, customers }: Pick<RecordInputs, 'settings' | 'customers'>,
  key: CustomerKey,
): InvoiceRecord {
  const { name = null, email = null, taxId = null, address = null, taxExempt = false } = customers.get(key) ?? {}
  return {
    seller: seller === null ? null : { ...seller },
    billTo: { customer: key, name, email, taxId, address, taxExempt },
  }
}

/**
 * What a line is made of: a stretch of event time by a stretch of the log. What lies below `offsetFrom` is on an earlier line of
 * the same part.
 */
function traceOf({ features, meters }: RecordInputs, state: BillingState, document: InvoiceDocument, line: InvoiceLine): Json | null {
  if ((line.kind !== 'usage' && line.kind !== 'adjustment') || line.feature === null) return null
  const feature = features.find(({ key }) => key === line.feature)
  const meter = meters.find(({ key }) => key === feature?.meter)
  const part = state.planVersions.find(({ plan, version }) => plan === line.plan && version === line.planVersion)
  const charge = part?.charges.find(({ key }) => key === line.item)
  if (feature === undefined || meter === undefined || charge === undefined) return null
  const counted = state.parts.find(
    (each) => each.plan === line.plan && each.planVersion === line.planVersion && each.period.startMs === line.period.startMs,
  )
  const period = countedPeriod(state, document, line)
  const { stretches, billedBy } = ownStretches(state.subscription, state.siblings, line.feature, period)
  return {
    ...{ meter: meter.key, revision: meter.revision, aggregation: meter.aggregation, filter: bothFilters(feature.filter, charge) },
    ...{ from: iso(period.startMs), to: iso(period.endMs) },
    ...(billedBy.length > 0 && { stretches: stretches.map(({ startMs, endMs }) => ({ from: iso(startMs), to: iso(endMs) })) }),
    ...{ partition: state.cutOff.partition, offsetFrom: counted?.cutOff.offset ?? 0, offsetTo: state.cutOff.offset },
  }
}

/**
 * The event time that a line counts. A threshold shows the time so far, and counts all of the part: events may be an hour ahead of the
 * clock, and those below the cut-off are on this line.
 */
function countedPeriod(state: BillingState, { kind }: InvoiceDocument, { period }: InvoiceLine): Period {
  if (kind !== 'threshold') return period
  const [part] = serviceParts(state, { startMs: period.startMs, endMs: (period.startMs + 1) as InstantMs })
  return part?.period ?? period
}

/** What passes both. */
function bothFilters(ofFeature: DimensionFilter, { filter: ofCharge }: Charge): { readonly [dimension: string]: readonly string[] } {
  const dimensions = new Set([...Object.keys(ofFeature), ...Object.keys(ofCharge)])
  return Object.fromEntries(
    [...dimensions].map((dimension) => {
      const [first, second] = [ofFeature[dimension], ofCharge[dimension]]
      return [dimension, (first ?? second ?? []).filter((value) => second === undefined || second.includes(value))]
    }),
  )
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
