import { Type } from 'typebox'
import type { InvoiceInputsReader } from '../../adapters/database/invoices/invoice-inputs-reader.ts'
import { aggregateOfRow, type UsageRow } from '../../adapters/usage-store/usage-store.ts'
import { createBatchedReads } from '../../base/batched-reads.ts'
import type { Clock } from '../../base/clock.ts'
import { invariant } from '../../base/invariant.ts'
import type { InvoiceInputs } from '../../domain/billing/invoice-inputs.ts'
import type { Charge, PlanVersion } from '../../domain/catalog/plan.ts'
import { phaseAt, subscriptionPeriodAt } from '../../domain/catalog/subscription.ts'
import type { CustomerKey, Period, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { aggregateValue, matchesFilter, mergeAggregates } from '../../domain/metering/metering.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { type InvoiceLine, rateInvoice } from '../../rating/invoice.ts'
import { InvoiceSchema, REFUSALS, SubscriptionParamsSchema } from '../../schemas/http/catalog.ts'
import { type HttpApp, InstantSchema } from '../../schemas/http/common.ts'
import { parseInstant, periodJson } from '../../schemas/http/instants.ts'
import type { CustomerUsage } from '../../usage/customer-usage.ts'
import type { UsageReader } from '../../usage/usage-reader.ts'

export type InvoiceRoutesDeps = {
  readonly invoiceInputs: InvoiceInputsReader
  readonly usageReader: Pick<UsageReader, 'requireComplete'>
  readonly customerUsage: CustomerUsage
  readonly clock: Clock
}

const SUBSCRIPTIONS_PER_READ_MAX = 200
const WAITING_MAX = 10_000

/**
 * What the billing period at `at` comes to so far. The whole period is billed under the plan version in force at `at`;
 * a period in which the plan changed is not split. A run over many subscriptions asks for many at a time, and what is asked
 * for together is read together, from catalog and usage store.
 */
export function invoiceRoutes({ invoiceInputs, usageReader, customerUsage, clock }: InvoiceRoutesDeps): (app: HttpApp) => Promise<void> {
  const inputs = createBatchedReads<{ readonly tenant: TenantKey; readonly id: SubscriptionId }, InvoiceInputs>({
    read: (asked) => readInputs(invoiceInputs, asked),
    itemsMax: SUBSCRIPTIONS_PER_READ_MAX,
    waitingMax: WAITING_MAX,
    clock,
  })
  return async (app) => {
    app.get('/v1/subscriptions/:id/upcoming-invoice', { config: { scope: 'read' }, schema: UPCOMING_INVOICE }, async (request) => {
      const { tenant } = request.principal
      const id = request.params.id as SubscriptionId
      const atMs = request.query.at === undefined ? clock.now() : orThrow(parseInstant(request.query.at, 'at'))
      const billedBy = await inputs.read(tenant, { tenant, id })
      const subscription = orThrow(billedBy.subscriptions.get(id) ?? refuse('unknown_subscription', { subscription: id }))
      const { plan, planVersion: version } = phaseAt(subscription, atMs)
      const planVersion = billedBy.planVersions.find((each) => each.plan === plan && each.version === version)
      invariant(planVersion !== undefined, `version ${version} of plan ${plan} is kept as a subscription is on it`)
      const period = subscriptionPeriodAt(subscription, planVersion.interval, atMs)
      const usage = await usageByCharge({ usageReader, customerUsage }, billedBy, subscription.customer, planVersion, period)
      const { currency, lines, total } = rateInvoice({ planVersion, period, usage })
      return { subscription: id, plan, planVersion: version, currency, period: periodJson(period), lines: lines.map(lineJson), total }
    })
  }
}

/** All of one tenant. */
async function readInputs(
  invoiceInputs: InvoiceInputsReader,
  asked: readonly { readonly tenant: TenantKey; readonly id: SubscriptionId }[],
): Promise<readonly InvoiceInputs[]> {
  const [first] = asked
  invariant(first !== undefined, 'a read is of something')
  const inputs = await invoiceInputs.read(first.tenant, [...new Set(asked.map(({ id }) => id))])
  return asked.map(() => inputs)
}

const UPCOMING_INVOICE = {
  tags: ['invoices'],
  operationId: 'getUpcomingInvoice',
  summary: 'What a billing period comes to so far',
  description:
    'Usage of the whole period is rated under the plan version in force at `at`; a period in which the plan changed is not split.',
  params: SubscriptionParamsSchema,
  querystring: Type.Object({ at: Type.Optional({ ...InstantSchema, description: 'An instant of the billing period; now when absent' }) }),
  response: { 200: InvoiceSchema, ...REFUSALS },
}

/** A charge counts what passes its feature's filter and its own. */
type FilteredCharge = { readonly key: string; readonly filters: readonly DimensionFilter[] }

/** Nano units by charge key. One read per meter, however many charges share it. */
async function usageByCharge(
  { usageReader, customerUsage }: Pick<InvoiceRoutesDeps, 'usageReader' | 'customerUsage'>,
  inputs: InvoiceInputs,
  customer: CustomerKey,
  { charges }: PlanVersion,
  period: Period,
): Promise<ReadonlyMap<string, bigint>> {
  const usage = new Map<string, bigint>()
  if (period.startMs >= period.endMs) return usage
  await Promise.all(
    [...chargesByMeter(inputs, charges)].map(async ([meter, ofMeter]) => {
      await usageReader.requireComplete(meter)
      const groupBy = [...new Set(ofMeter.flatMap(({ filters }) => filters.flatMap((filter) => Object.keys(filter))))]
      const rows = await customerUsage.totals({ meter, groupBy, filter: filterOfAll(ofMeter) }, customer, period)
      for (const charge of ofMeter) usage.set(charge.key, quantityOf(charge, rows, meter))
    }),
  )
  return usage
}

function chargesByMeter({ features, meters }: InvoiceInputs, charges: readonly Charge[]): ReadonlyMap<Meter, readonly FilteredCharge[]> {
  const byMeter = new Map<Meter, FilteredCharge[]>()
  for (const charge of charges) {
    const feature = features.find(({ key }) => key === charge.feature)
    invariant(feature !== undefined && feature.meter !== null, `feature ${charge.feature} is metered as a charge is on it`)
    const meter = meters.find(({ key }) => key === feature.meter)
    invariant(meter !== undefined, `meter ${feature.meter} is kept as a feature reads it`)
    const ofMeter = byMeter.get(meter) ?? []
    byMeter.set(meter, [...ofMeter, { key: charge.key, filters: [feature.filter, charge.filter] }])
  }
  return byMeter
}

/** What no charge can want need not be read: of a dimension that every charge filters on, only the values that one of them names. */
function filterOfAll(charges: readonly FilteredCharge[]): DimensionFilter {
  const wanted = charges.map(({ filters }) => valuesWanted(filters))
  const [first = new Map<string, readonly string[]>()] = wanted
  const shared = [...first.keys()].filter((dimension) => wanted.every((values) => values.has(dimension)))
  return Object.fromEntries(shared.map((dimension) => [dimension, [...new Set(wanted.flatMap((values) => values.get(dimension) ?? []))]]))
}

function valuesWanted(filters: readonly DimensionFilter[]): ReadonlyMap<string, readonly string[]> {
  const wanted = new Map<string, readonly string[]>()
  for (const filter of filters) {
    for (const [dimension, values] of Object.entries(filter)) wanted.set(dimension, [...(wanted.get(dimension) ?? []), ...values])
  }
  return wanted
}

function quantityOf({ filters }: FilteredCharge, rows: readonly UsageRow[], meter: Meter): bigint {
  const passing = rows.filter(({ dimensions }) => filters.every((filter) => matchesFilter(filter, dimensions)))
  const [first, ...rest] = passing.map(aggregateOfRow)
  if (first === undefined) return 0n
  return aggregateValue(meter.aggregation, rest.reduce(mergeAggregates, first)) ?? 0n
}

function lineJson(line: InvoiceLine) {
  if (line.kind === 'base') return line
  const { tiers, ...rest } = line
  return { ...rest, ...(tiers === undefined ? {} : { tiers: [...tiers] }) }
}
