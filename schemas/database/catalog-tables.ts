import type { ColumnType } from 'kysely'
import type { Charge, Entitlement, EntitlementAnchor, FeatureType, LimitType, OnUncertain } from '../../domain/catalog/plan.ts'
import type { OverrideReset } from '../../domain/entitlements/entitlement-override.ts'
import type { ResetFigures } from '../../domain/entitlements/manual-reset.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import type { EventSelection } from '../../domain/metering/event-selection.ts'
import type { Aggregation } from '../../domain/metering/meter.ts'
import type { Scope } from '../../domain/principal.ts'
import type { PlanInterval } from '../../domain/time/intervals.ts'

/** The tables of the SQL files beside this one, as the query builder sees them. */
export type CatalogTables = {
  tenants: { tenant: string; created_at: Date }
  api_keys: { id: string; tenant: string; name: string; scopes: Json<readonly Scope[]>; secret_hash: string; created_at: Date }
  meters: {
    tenant: string
    key: string
    event_type: string
    aggregation: Aggregation
    value: Json<readonly string[]>
    dimensions: Json<Readonly<Record<string, string>>>
    selection: ColumnType<EventSelection | null, string | null, string | null>
    on_inexact: 'refuse' | null
    allow_negative: boolean
    revision: number
  }
  features: {
    tenant: string
    key: string
    name: string
    type: FeatureType
    meter: string | null
    filter: Json<DimensionFilter>
    unit: string | null
  }
  products: { tenant: string; key: string; name: string; description: string | null }
  plans: { tenant: string; key: string; latest_version: number }
  plan_versions: {
    tenant: string
    plan: string
    version: number
    product: string
    name: string
    currency: string
    interval: PlanInterval
    base_fee: string | null
    charges: Json<readonly Charge[]>
    entitlements: Json<readonly Entitlement[]>
    created_at: Date
  }
  customers: {
    tenant: string
    key: string
    name: string | null
    email: string | null
    metadata: Json<Readonly<Record<string, unknown>>>
  }
  customer_subjects: { tenant: string; subject: string; customer: string; position: number }
  subscriptions: { tenant: string; id: string; customer: string; start_at: Date; anchor_at: Date; end_at: Date | null }
  subscription_phases: {
    tenant: string
    subscription: string
    position: number
    plan: string
    plan_version: number
    start_at: Date
    end_at: Date | null
  }
  entitlement_overrides: {
    tenant: string
    customer: string
    feature: string
    from_at: Date
    until_at: Date | null
    began_at: Date
    limit: string | null
    limit_type: LimitType
    reset: OverrideReset | null
    anchor: EntitlementAnchor | null
    rollover: ColumnType<Entitlement['rollover'], string | null, string | null>
    on_uncertain: OnUncertain | null
    value: ColumnType<unknown, string | null, string | null>
  }
  grants: {
    tenant: string
    id: string
    customer: string
    feature: string
    amount: string
    priority: number
    effective_at: Date
    expires_at: Date | null
    voided_at: Date | null
    created_at: Date
  }
  balance_resets: {
    tenant: string
    id: string
    customer: string
    feature: string
    reset_at: Date
    reset_by: string
    reason: string | null
    before: Json<ResetFigures>
    after: Json<ResetFigures>
  }
  allowance_openings: { tenant: string; customer: string; feature: string; basis: string; at: Date; ledger: Json<unknown> }
  idempotency_keys: {
    tenant: string
    key: string
    request_hash: string
    status: number | null
    body: string | null
    claimed_at: Date
    expires_at: Date
  }
}

/** jsonb: read as the value, written as its text. */
type Json<Value> = ColumnType<Value, string, string>
