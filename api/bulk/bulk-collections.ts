import type { Static, TSchema } from 'typebox'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { MeterStore } from '../../adapters/database/meters/meter-store.ts'
import type { PlanRecord, PlanStore } from '../../adapters/database/plans/plan-store.ts'
import type { ProductStore } from '../../adapters/database/products/product-store.ts'
import type { SubscriptionStore } from '../../adapters/database/subscriptions/subscription-store.ts'
import type { TaxRateStore } from '../../adapters/database/tax-rates/tax-rate-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Customer } from '../../domain/catalog/customer.ts'
import type { WantedSubscription } from '../../domain/catalog/wanted-subscription.ts'
import type { CustomerKey, FeatureKey, MeterKey, PlanKey, ProductKey, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, orThrow, type Refusal } from '../../domain/refusal.ts'
import {
  CustomerInputSchema,
  FeatureInputSchema,
  MeterInputSchema,
  PlanInputSchema,
  ProductInputSchema,
  SubscriptionInputSchema,
} from '../../schemas/http/catalog.ts'
import { CustomerNameSchema, KeySchema } from '../../schemas/http/common.ts'
import type { CustomerNames } from '../../usage/customer-names.ts'
import { readCustomer } from '../catalog/customer-routes.ts'
import { type FeatureRoutesDeps, readFeature } from '../catalog/feature-routes.ts'
import { readSubscription } from '../catalog/subscription-routes.ts'
import { validateMeter } from '../catalog/validate-meter.ts'
import { validatePlan } from '../catalog/validate-plan.ts'
import type { BulkLine } from './bulk-line.ts'
import { type BulkCollection, type BulkCollections, outcomeOf, type PutOutcome } from './bulk-puts.ts'

export type BulkStores = {
  readonly meters: Pick<MeterStore, 'put' | 'get'>
  readonly features: FeatureRoutesDeps['features']
  readonly products: Pick<ProductStore, 'put' | 'get'>
  readonly plans: Pick<PlanStore, 'put' | 'get'>
  readonly taxRates: Pick<TaxRateStore, 'get'>
  readonly customers: Pick<CustomerStore, 'putAll'>
  readonly subscriptions: Pick<SubscriptionStore, 'createAll'>
}

export type BulkDeps = BulkStores & {
  readonly customerNames: Pick<CustomerNames, 'load' | 'resolve'>
  readonly onSubjectsPut: (tenant: TenantKey, customer: CustomerKey) => Promise<void>
  readonly clock: Pick<Clock, 'now'>
}

/** What each collection does with its lines: the same as its own route. A meter counts its past after the answer. */
export function bulkCollections(deps: BulkDeps): BulkCollections {
  const { meters, features, products, plans } = deps
  const alone = (bodySchema: TSchema, put: (tenant: TenantKey, line: BulkLine) => Promise<PutOutcome>): BulkCollection => ({
    ...{ scope: 'admin', keySchema: KeySchema, bodySchema },
    put: (tenant, lines) => Promise.all(lines.map((line) => put(tenant, line))),
  })
  return {
    gathered: new Map([
      ['customers', { scope: 'manage', keySchema: CustomerNameSchema, bodySchema: CustomerInputSchema, put: putCustomers(deps) }],
      ['subscriptions', { scope: 'manage', keySchema: KeySchema, bodySchema: BulkSubscriptionSchema, put: createSubscriptions(deps) }],
    ]),
    alone: new Map([
      [
        'meters',
        alone(MeterInputSchema, (tenant, { key, body }) =>
          outcomeOf(async () => meters.put(tenant, key as MeterKey, orThrow(validateMeter(body as Static<typeof MeterInputSchema>)))),
        ),
      ],
      [
        'features',
        alone(FeatureInputSchema, (tenant, { key, body }) =>
          outcomeOf(async () =>
            features.put(tenant, orThrow(await readFeature(meters, tenant, key as FeatureKey, body as Static<typeof FeatureInputSchema>))),
          ),
        ),
      ],
      [
        'products',
        alone(ProductInputSchema, (tenant, { key, body }) =>
          outcomeOf(() => {
            const { name, description = null } = body as Static<typeof ProductInputSchema>
            return products.put(tenant, { key: key as ProductKey, name, description })
          }),
        ),
      ],
      [
        'plans',
        alone(PlanInputSchema, (tenant, { key, body }) =>
          outcomeOf(async () =>
            plans.put(tenant, orThrow(await validatePlan(deps, tenant, key as PlanKey, body as Static<typeof PlanInputSchema>))),
          ),
        ),
      ],
    ]),
  }
}

const { id: _id, ...SUBSCRIPTION_PROPERTIES } = SubscriptionInputSchema.properties
/** The id stands in the line. */
const BulkSubscriptionSchema = { ...SubscriptionInputSchema, properties: SUBSCRIPTION_PROPERTIES }

function putCustomers({ customers, taxRates, onSubjectsPut }: BulkDeps): BulkCollection['put'] {
  return async (tenant, lines) => {
    const read: Outcome<Customer>[] = []
    for (const { key, body } of lines) {
      read.push(await readCustomer(taxRates, tenant, key as CustomerKey, body as Static<typeof CustomerInputSchema>))
    }
    const puts = await customers.putAll(tenant, read.filter(isValue<Customer>))
    for (const put of puts) {
      if (!isRefusal(put) && put.result !== 'same' && put.value.subjects.length > 0) await onSubjectsPut(tenant, put.value.key)
    }
    return inTheirPlaces(
      read,
      puts.map((put) => (isRefusal(put) ? put : put.result)),
    )
  }
}

/** One with an id that exists is `same` when it was made of the same input. */
function createSubscriptions({ subscriptions, plans, customerNames, clock }: BulkDeps): BulkCollection['put'] {
  return async (tenant, lines) => {
    const known = new Map<string, PlanRecord | null>()
    // The names of all lines by one question; each is then resolved at once.
    await customerNames.load(
      tenant,
      lines.map(({ body }) => (body as Static<typeof SubscriptionInputSchema>).customer),
    )
    const read: Outcome<WantedSubscription>[] = []
    for (const { key, body } of lines) {
      const input = { ...(body as Static<typeof SubscriptionInputSchema>), id: key }
      const plan = known.get(input.plan) ?? (await plans.get(tenant, input.plan as PlanKey))
      known.set(input.plan, plan)
      const wanted = readSubscription(input, plan)
      read.push(isRefusal(wanted) ? wanted : { ...wanted, customer: await customerNames.resolve(tenant, input.customer, clock.now()) })
    }
    const made = await subscriptions.createAll(tenant, read.filter(isValue<WantedSubscription & { readonly id: SubscriptionId }>))
    return inTheirPlaces(
      read,
      made.map((each) => (isRefusal(each) ? each : each.result)),
    )
  }
}

function isValue<Value>(outcome: unknown): outcome is Value {
  return !isRefusal(outcome)
}

/** Outcomes of what could be read, and the refusals of the rest, in the order of the lines. */
function inTheirPlaces(read: readonly unknown[], outcomes: readonly PutOutcome[]): readonly PutOutcome[] {
  const rest = outcomes[Symbol.iterator]()
  return read.map((each): PutOutcome => {
    if (isRefusal(each)) return each as Refusal
    return rest.next().value as PutOutcome
  })
}
