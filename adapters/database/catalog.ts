import type { Grant } from '../../domain/allowance/grant.ts'
import type { InvoiceInputs } from '../../domain/billing/invoice-inputs.ts'
import type { Feature, PlanVersion } from '../../domain/catalog/plan.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import type { AllowanceOpening, EntitlementInputs } from '../../domain/entitlements/entitlement-inputs.ts'
import type { EntitlementOverride, OverrideTerms } from '../../domain/entitlements/entitlement-override.ts'
import type { ManualReset } from '../../domain/entitlements/manual-reset.ts'
import type {
  CustomerKey,
  FeatureKey,
  GrantId,
  InstantMs,
  MeterKey,
  PlanKey,
  ProductKey,
  SubscriptionId,
  TenantKey,
} from '../../domain/identity.ts'
import type { Meter, MeterDefinition } from '../../domain/metering/meter.ts'
import type { Principal } from '../../domain/principal.ts'
import type { Outcome } from '../../domain/refusal.ts'

export type Product = { readonly key: ProductKey; readonly name: string; readonly description: string | null }

export type Customer = {
  readonly key: CustomerKey
  readonly name: string | null
  readonly email: string | null
  readonly subjects: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
}

/** 'created' is answered 201, the others 200. */
export type PutResult<Value> = { readonly value: Value; readonly result: 'created' | 'changed' | 'same' }

export type Page<Value> = { readonly data: readonly Value[]; readonly nextCursor: string | null }
export type PageRequest = { readonly limit: number; readonly cursor?: string }

export type CatalogChange = {
  readonly tenant: TenantKey
  /** 'everything': changes of any tenant may have been missed (tenant and key are ''); whoever keeps copies drops them all. */
  readonly kind: 'key' | 'meter' | 'feature' | 'product' | 'plan' | 'customer' | 'subscription' | 'entitlement' | 'everything'
  /** The key or id that changed; for 'subscription' and 'entitlement' (overrides, grants, resets) the customer's key. */
  readonly key: string
}

export type KeyRecord = {
  readonly id: string
  readonly name: string
  readonly tenant: TenantKey
  readonly scopes: Principal['scopes']
  readonly createdAtMs: InstantMs
}

/**
 * What the business has set up. Refusals (unknown plan, subject taken, …) are values; errors are `Fault`s:
 * `catalog_unavailable` (canRetry). Every change is announced to `onChange` listeners of all processes, on this one
 * before the promise of the change resolves.
 */
export type Catalog = {
  migrate(): Promise<void>

  /** Keys are stored as SHA-256 of the secret. */
  createKey(key: { tenant: TenantKey; name: string; scopes: Principal['scopes']; secretHash: string }): Promise<KeyRecord>
  findKey(secretHash: string): Promise<Principal | null>
  keys(tenant: TenantKey): Promise<readonly KeyRecord[]>
  hasKeys(tenant: TenantKey): Promise<boolean>

  /** Refused `dimension_in_use` when a feature or charge filters on a dimension that would be gone. */
  putMeter(tenant: TenantKey, key: MeterKey, definition: MeterDefinition): Promise<Outcome<PutResult<Meter>>>
  meter(tenant: TenantKey, key: MeterKey): Promise<Meter | null>
  meters(tenant: TenantKey, page: PageRequest): Promise<Page<Meter>>
  /** Of every tenant, for the fold. */
  allMeters(): Promise<readonly Meter[]>
  /** Revisions that no meter has or will get, for `reviseMeters`. */
  reserveMeterRevisions(count: number): Promise<readonly number[]>
  /** Gives these meters, as they stand, new revisions: all in one step, or none (false) when one of them has changed or is gone. */
  reviseMeters(changes: readonly { readonly meter: Meter; readonly revision: number }[]): Promise<boolean>
  /** Refused `meter_in_use` while a feature reads it; null when there is none. */
  deleteMeter(tenant: TenantKey, key: MeterKey): Promise<Outcome<Meter | null>>

  /** Refused: `unknown_meter`; `feature_type_fixed` for another type than before; `dimension_in_use` when a charge filters on what another meter lacks. */
  putFeature(tenant: TenantKey, feature: Feature): Promise<Outcome<PutResult<Feature>>>
  feature(tenant: TenantKey, key: FeatureKey): Promise<Feature | null>
  features(tenant: TenantKey, page: PageRequest): Promise<Page<Feature>>

  putProduct(tenant: TenantKey, product: Product): Promise<PutResult<Product>>
  product(tenant: TenantKey, key: ProductKey): Promise<Product | null>
  products(tenant: TenantKey, page: PageRequest): Promise<Page<Product>>

  /** A change makes version n+1; equal content is 'same' and makes none. Refused: unknown product or feature. */
  putPlan(tenant: TenantKey, plan: Omit<PlanVersion, 'version'>): Promise<Outcome<PutResult<PlanVersion>>>
  /** The latest version when none is named. */
  plan(tenant: TenantKey, key: PlanKey, version?: number): Promise<PlanVersion | null>
  plans(tenant: TenantKey, page: PageRequest): Promise<Page<PlanVersion>>

  /** Refused `subject_taken` when a subject is another customer's key or subject. */
  putCustomer(tenant: TenantKey, customer: Customer): Promise<Outcome<PutResult<Customer>>>
  customer(tenant: TenantKey, key: CustomerKey): Promise<Customer | null>
  customers(tenant: TenantKey, page: PageRequest): Promise<Page<Customer>>
  /** Makes those that do not exist, bare; for customers first seen in events. */
  ensureCustomers(customers: readonly { readonly tenant: TenantKey; readonly key: CustomerKey }[]): Promise<void>
  /** Customers that have these strings as a subject; keys themselves are not looked up. */
  resolveSubjects(tenant: TenantKey, subjects: readonly string[]): Promise<ReadonlyMap<string, CustomerKey>>

  /** On the plan's latest version. Refused: `unknown_customer`, `unknown_plan`, `too_many_subscriptions`. */
  createSubscription(
    tenant: TenantKey,
    subscription: { customer: CustomerKey; plan: PlanKey; startMs: InstantMs; anchorMs: InstantMs },
  ): Promise<Outcome<Subscription>>
  subscription(tenant: TenantKey, id: SubscriptionId): Promise<Subscription | null>
  subscriptions(tenant: TenantKey, filter: { customer?: CustomerKey }, page: PageRequest): Promise<Page<Subscription>>
  /**
   * Replaces phases and end with what `decide` answers from the subscription and the plan versions of its phases; no
   * other change comes between. Null when there is no such subscription.
   */
  updateSubscription(
    tenant: TenantKey,
    id: SubscriptionId,
    decide: (subscription: Subscription, planVersions: readonly PlanVersion[]) => Outcome<Subscription>,
  ): Promise<Outcome<Subscription | null>>

  /** From now on in place of what plans say, until deleted. Refused: `unknown_customer`, `unknown_feature`. */
  putOverride(tenant: TenantKey, customer: CustomerKey, terms: OverrideTerms): Promise<Outcome<PutResult<EntitlementOverride>>>
  /** The one in force. */
  override(tenant: TenantKey, customer: CustomerKey, feature: FeatureKey): Promise<EntitlementOverride | null>
  /** The one that ended; null when there was none. */
  deleteOverride(tenant: TenantKey, customer: CustomerKey, feature: FeatureKey): Promise<EntitlementOverride | null>

  /** Refused: `unknown_customer`, `unknown_feature`, `feature_not_metered`, `too_many_grants`. */
  createGrant(tenant: TenantKey, grant: Omit<Grant, 'id' | 'voidedAtMs'>): Promise<Outcome<Grant>>
  grants(tenant: TenantKey, filter: { customer: CustomerKey; feature?: FeatureKey }, page: PageRequest): Promise<Page<Grant>>
  /** Gone from now on; one that was voided before stays as it was. Null when there is no such grant. */
  voidGrant(tenant: TenantKey, id: GrantId): Promise<Grant | null>

  /** Refused: `unknown_customer`, `unknown_feature`, `feature_not_metered`, `too_many_resets`. */
  recordReset(tenant: TenantKey, reset: Omit<ManualReset, 'id'>): Promise<Outcome<ManualReset>>
  resets(tenant: TenantKey, filter: { customer: CustomerKey; feature: FeatureKey }, page: PageRequest): Promise<Page<ManualReset>>

  /** Replaces the feature's opening, unless that is a later one of the same basis. */
  saveOpening(tenant: TenantKey, customer: CustomerKey, opening: AllowanceOpening): Promise<void>

  /** Of many customers at once, for little more than of one. Those that nobody has sold anything to are absent. */
  entitlementInputs(tenant: TenantKey, customers: readonly CustomerKey[]): Promise<ReadonlyMap<CustomerKey, EntitlementInputs>>
  /** Of many subscriptions at once: they share their plans. */
  invoiceInputs(tenant: TenantKey, ids: readonly SubscriptionId[]): Promise<InvoiceInputs>

  /**
   * `Idempotency-Key` of POSTs that create. Claims the key: null when it is new; the stored answer when the same request
   * was answered before; refused `idempotency_key_reused` (422) for another body, `idempotency_key_in_use` (409) while the first is under way.
   */
  claimIdempotencyKey(
    tenant: TenantKey,
    key: string,
    requestHash: string,
    nowMs: InstantMs,
  ): Promise<Outcome<{ status: number; body: string } | null>>
  saveIdempotentAnswer(tenant: TenantKey, key: string, answer: { status: number; body: string }): Promise<void>
  releaseIdempotencyKey(tenant: TenantKey, key: string): Promise<void>

  onChange(listener: (change: CatalogChange) => void): void
  /** Every change committed up to this instant has been delivered to the listeners of this process. */
  heardUpToMs(): InstantMs
  ping(): Promise<void>
  stop(): Promise<void>
}
