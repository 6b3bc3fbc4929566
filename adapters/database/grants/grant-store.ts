import { type Kysely, type Selectable, sql } from 'kysely'
import { invariant } from '../../../base/invariant.ts'
import type { Grant } from '../../../domain/allowance/grant.ts'
import { CATALOG_BOUNDS } from '../../../domain/catalog/catalog-bounds.ts'
import { formatQuantity, parseQuantity } from '../../../domain/decimal.ts'
import type { CustomerKey, FeatureKey, GrantId, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, refuse } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { lockAllowances } from '../entitlements/lock-allowances.ts'
import { byCustomer, rowsOfCustomers } from '../entitlements/rows-of-customers.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'
import { createRecordId } from '../record-id.ts'

export type GrantStore = {
  /** Refuses `unknown_customer`, `unknown_feature`, `feature_not_metered`, `too_many_grants`. */
  create(tenant: TenantKey, grant: Omit<Grant, 'id' | 'voidedAtMs'>): Promise<Outcome<Grant>>
  list(tenant: TenantKey, filter: { customer: CustomerKey; feature?: FeatureKey }, page: PageRequest): Promise<Page<Grant>>
  /** Ends the grant now; a grant voided before stays as it was. Null when there is no such grant. */
  void(tenant: TenantKey, id: GrantId): Promise<Grant | null>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
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
  }
}

declare module '../changes.ts' {
  interface Topics {
    /** By customer. */
    grants: CustomerKey
  }
}

/** Grants of one customer and feature, including ended ones: each of them affects what is left now. */
const GRANTS_MAX = CATALOG_BOUNDS.grants.most

export function sqlGrantStore(session: DatabaseSession): GrantStore {
  return {
    create: (tenant, wanted) =>
      session.write(async ({ db, announce }) => {
        const { customer, feature } = wanted
        const refusal = await lockAllowances(db, tenant, customer, feature, 'metered')
        if (refusal !== null) return refusal
        const { granted } = await db
          .selectFrom('grants')
          .select(({ fn }) => fn.countAll<string | number>().as('granted'))
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .where('feature', '=', feature)
          .executeTakeFirstOrThrow()
        if (Number(granted) >= GRANTS_MAX) {
          return refuse('too_many_grants', { customer, feature, grants: Number(granted), grantsMax: GRANTS_MAX })
        }
        const id = createRecordId('grant', wanted.createdAtMs, session.randomBytes) as GrantId
        const grant: Grant = { ...wanted, id, voidedAtMs: null }
        await db.insertInto('grants').values(columnsOf(tenant, grant)).execute()
        announce({ tenant, topic: 'grants', key: customer })
        return grant
      }),

    list: (tenant, { customer, feature }, page) =>
      session.run(async (db) => {
        const list = listName('grants', { customer, feature })
        const ofCustomer = selectGrants(db, tenant, customer).where('id', '>', keyAfter(list, page))
        const rows = await (feature === undefined ? ofCustomer : ofCustomer.where('feature', '=', feature))
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(list, rows, page, ({ id }) => id, grantOf)
      }),

    void: (tenant, id) =>
      session.write(async ({ db, announce }) => {
        const voided = await db
          .updateTable('grants')
          .set({ voided_at: sql<Date>`COALESCE(voided_at, ${new Date(session.clock.now())})` })
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirst()
        if (voided === undefined) return null
        const grant = grantOf(voided)
        announce({ tenant, topic: 'grants', key: grant.customer })
        return grant
      }),
  }
}

export async function grantsOf(db: Kysely<DatabaseTables>, tenant: TenantKey, customers: readonly CustomerKey[]) {
  const rows = await rowsOfCustomers(db, 'grants', { tenant, customers, orderBy: ['id'] })
  return byCustomer(rows, grantOf)
}

function selectGrants(db: Kysely<DatabaseTables>, tenant: TenantKey, customer: CustomerKey) {
  return db.selectFrom('grants').selectAll().where('tenant', '=', tenant).where('customer', '=', customer)
}

function columnsOf(tenant: TenantKey, grant: Grant) {
  return {
    tenant,
    id: grant.id,
    customer: grant.customer,
    feature: grant.feature,
    amount: formatQuantity(grant.amount),
    priority: grant.priority,
    effective_at: new Date(grant.effectiveAtMs),
    expires_at: grant.expiresAtMs === null ? null : new Date(grant.expiresAtMs),
    voided_at: null,
    created_at: new Date(grant.createdAtMs),
  }
}

function grantOf(row: Selectable<DatabaseTables['grants']>): Grant {
  const amount = parseQuantity(row.amount)
  invariant(amount !== null, 'a stored amount is an exact quantity')
  return {
    id: row.id as GrantId,
    customer: row.customer as CustomerKey,
    feature: row.feature as FeatureKey,
    amount,
    priority: row.priority,
    effectiveAtMs: row.effective_at.getTime() as InstantMs,
    expiresAtMs: row.expires_at === null ? null : (row.expires_at.getTime() as InstantMs),
    voidedAtMs: row.voided_at === null ? null : (row.voided_at.getTime() as InstantMs),
    createdAtMs: row.created_at.getTime() as InstantMs,
  }
}
