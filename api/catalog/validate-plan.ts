import type { Static } from 'typebox'
import type { FeatureReader } from '../../adapters/database/features/feature-store.ts'
import type { MeterReader } from '../../adapters/database/meters/meter-store.ts'
import type { ProductStore } from '../../adapters/database/products/product-store.ts'
import type { TaxRateStore } from '../../adapters/database/tax-rates/tax-rate-store.ts'
import { type Currency, currencyOf } from '../../domain/billing/money.ts'
import type { Charge, Entitlement, Feature, PlanVersion } from '../../domain/catalog/plan.ts'
import type { FeatureKey, MeterKey, PlanKey, ProductKey, TenantKey } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { formatAmount, parseAmount } from '../../domain/money.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import { validatePrice } from '../../rating/validate-price.ts'
import type { PlanInputSchema } from '../../schemas/http/catalog.ts'
import { createErrorList, type ErrorList } from '../error-list.ts'
import { refuseWrongFields } from '../wrong-fields.ts'
import { filterErrors } from './filter-errors.ts'
import { readChargeBilling, readPlanBilling } from './plan-billing.ts'
import { readPlanSelling } from './plan-selling.ts'
import { unknownTaxRates } from './unknown-tax-rates.ts'
import { validateEntitlement } from './validate-entitlement.ts'

type PlanInput = Static<typeof PlanInputSchema>
type ChargeInput = NonNullable<PlanInput['charges']>[number]
type EntitlementInput = NonNullable<PlanInput['entitlements']>[number]
type Plan = Omit<PlanVersion, 'version'>

/** Stores with the things that a plan names. */
export type PlanReferences = {
  readonly products: Pick<ProductStore, 'get'>
  readonly features: FeatureReader
  readonly meters: MeterReader
  readonly taxRates: Pick<TaxRateStore, 'get'>
}

/** The plan with every number in its shortest decimal form, or one refusal that names each wrong field. */
export async function validatePlan(stores: PlanReferences, tenant: TenantKey, key: PlanKey, input: PlanInput): Promise<Outcome<Plan>> {
  const { charges = [], entitlements = [] } = input
  const references = await loadReferences(stores, tenant, [...charges, ...entitlements])
  const errors = createErrorList()
  if ((await stores.products.get(tenant, input.product as ProductKey)) === null) {
    errors.refuse('product', refuse('unknown_product', { product: input.product }))
  }
  const known = currencyOf(input.currency)
  if (isRefusal(known)) errors.refuse('currency', known)
  const currency = isRefusal(known) ? null : known
  const plan: Plan = {
    plan: key,
    product: input.product as ProductKey,
    name: input.name,
    currency: input.currency,
    interval: input.interval,
    baseFee: readBaseFee(input.baseFee ?? null, errors),
    ...readPlanBilling(input, currency, errors),
    ...readPlanSelling(input, currency, errors),
    charges: charges.flatMap((charge, index) => readCharge(charge, `charges[${index}]`, references, currency, errors)),
    entitlements: entitlements.flatMap((entitlement, index) => readEntitlement(entitlement, `entitlements[${index}]`, references, errors)),
  }
  for (const [index, { taxRates = [] }] of charges.entries()) {
    for (const wrong of await unknownTaxRates(stores.taxRates, tenant, taxRates, `charges[${index}].taxRates`))
      errors.refuse(wrong.field, wrong.refusal)
  }
  refuseRepeated(charges, ({ key: charge }) => charge, 'charges', 'key', errors)
  refuseRepeated(entitlements, ({ feature }) => feature, 'entitlements', 'feature', errors)
  return refuseWrongFields(errors.fields, errors.code()) ?? plan
}

type References = { feature(key: string): Feature | undefined; meterOf(feature: Feature): Meter | undefined }

async function loadReferences(
  stores: PlanReferences,
  tenant: TenantKey,
  named: readonly { readonly feature: string }[],
): Promise<References> {
  const features = new Map<string, Feature>()
  for (const key of new Set(named.map(({ feature }) => feature))) {
    const feature = await stores.features.get(tenant, key as FeatureKey)
    if (feature !== null) features.set(key, feature)
  }
  const meters = new Map<MeterKey, Meter>()
  for (const key of new Set([...features.values()].map(({ meter }) => meter))) {
    const meter = key === null ? null : await stores.meters.get(tenant, key)
    if (meter !== null) meters.set(meter.key, meter)
  }
  return {
    feature: (key) => features.get(key),
    meterOf: ({ meter }) => (meter === null ? undefined : meters.get(meter)),
  }
}

function readBaseFee(input: string | number | null, errors: ErrorList): string | null {
  if (input === null) return null
  const pico = parseAmount(input)
  if (pico !== null && pico >= 0n) return formatAmount(pico)
  const rule = 'must be an exact decimal from 0 to below 10^15 with at most 12 fractional digits'
  errors.add('baseFee', 'invalid_base_fee', `baseFee ${rule}, was ${JSON.stringify(input)}`)
  return null
}

function readCharge(
  input: ChargeInput,
  field: string,
  references: References,
  currency: Currency | null,
  errors: ErrorList,
): readonly Charge[] {
  const feature = references.feature(input.feature)
  const filter = input.filter ?? {}
  if (feature === undefined) {
    addUnknownFeature(input.feature, field, errors)
  } else {
    const meter = references.meterOf(feature)
    if (meter === undefined) {
      const detail = `${field}.feature must be metered to be charged for, and ${feature.key} is ${feature.type}`
      errors.add(`${field}.feature`, 'feature_not_metered', detail)
    } else {
      const wrong = filterErrors(filter, meter, `${field}.filter`)
      if (wrong.length > 0) errors.addAll('unknown_dimension', wrong)
    }
  }
  const price = validatePrice(input.price, `${field}.price`)
  const billing = readChargeBilling(input, field, currency, errors)
  if (!isRefusal(price)) return [{ key: input.key, feature: input.feature as FeatureKey, filter, price, ...billing }]
  errors.addAll(price.code, price.errors ?? [])
  return []
}

function readEntitlement(input: EntitlementInput, field: string, references: References, errors: ErrorList): readonly Entitlement[] {
  const feature = references.feature(input.feature)
  if (feature !== undefined) {
    const { perUnit = false, ...terms } = input
    if (perUnit && feature.type !== 'metered')
      errors.add(`${field}.perUnit`, 'not_metered', `${field}.perUnit is for metered features, and ${feature.key} is ${feature.type}`)
    return [{ ...validateEntitlement(terms, feature, `${field}.`, errors), ...(perUnit && { perUnit }) }]
  }
  addUnknownFeature(input.feature, field, errors)
  return []
}

function addUnknownFeature(key: string, field: string, errors: ErrorList): void {
  errors.refuse(`${field}.feature`, refuse('unknown_feature', { feature: key }))
}

function refuseRepeated<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  list: 'charges' | 'entitlements',
  property: 'key' | 'feature',
  errors: ErrorList,
): void {
  const firstIndex = new Map<string, number>()
  for (const [index, item] of items.entries()) {
    const name = nameOf(item)
    const first = firstIndex.get(name)
    if (first === undefined) firstIndex.set(name, index)
    else {
      const detail = `${list}[${index}].${property} is '${name}' as in ${list}[${first}]; each ${property} may stand once`
      errors.add(`${list}[${index}].${property}`, property === 'key' ? 'duplicate_key' : 'duplicate_feature', detail)
    }
  }
}
