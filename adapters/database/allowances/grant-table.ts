import { type Kysely, type Selectable, sql } from 'kysely'
import type { Clock } from '../../../base/clock.ts'
import { invariant } from '../../../base/invariant.ts'
import type { Grant } from '../../../domain/allowance/grant.ts'
import { formatQuantity, parseQuantity } from '../../../domain/decimal.ts'
import type { CustomerKey, FeatureKey, GrantId, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { refuse } from '../../../domain/refusal.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { Catalog } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'
import { keyAfter, pageOf } from '../engine/page.ts'
import { createRecordId, type RandomBytes } from '../engine/record-id.ts'
import { byCustomer, rowsOfCustomers } from '../entitlements/rows-of-customers.ts'
import { lockAllowances } from './lock-allowances.ts'

type Grants = Pick<Catalog, 'createGrant' | 'grants' | 'voidGrant'>

/** Of one customer and feature, those that are over too: each was part of what is left now. */
export const GRANTS_MAX = 10_000

export function grantTable(session: CatalogSession, clock: Clock, randomBytes: RandomBytes): Grants {
  return {
    createGrant: (tenant, wanted) =>
      session.write(async (trx, announce) => {
        const { customer, feature } = wanted
        const refusal = await lockAllowances(trx, tenant, customer, feature, 'metered')
        if (refusal !== null) return refusal
        const { granted } = await trx
          .selectFrom('grants')
          .select(({ fn }) => fn.countAll<string | number>().as('granted'))
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .where('feature', '=', feature)
          .executeTakeFirstOrThrow()
        if (Number(granted) >= GRANTS_MAX) {
          return refuse('too_many_grants', { customer, feature, grants: Number(granted), grantsMax: GRANTS_MAX })
        }
        const id = createRecordId('grant', wanted.createdAtMs, randomBytes) as GrantId
        const grant: Grant = { ...wanted, id, voidedAtMs: null }
        await trx.insertInto('grants').values(columnsOf(tenant, grant)).execute()
        announce({ tenant, kind: 'entitlement', key: customer })
        return grant
      }),

    grants: (tenant, { customer, feature }, page) =>
      session.run(async (db) => {
        const ofCustomer = selectGrants(db, tenant, customer).where('id', '>', keyAfter(page))
        const rows = await (feature === undefined ? ofCustomer : ofCustomer.where('feature', '=', feature))
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(rows, page, ({ id }) => id, grantOf)
      }),

    voidGrant: (tenant, id) =>
      session.write(async (trx, announce) => {
        const voided = await trx
          .updateTable('grants')
          .set({ voided_at: sql<Date>`COALESCE(voided_at, ${new Date(clock.now())})` })
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirst()
        if (voided === undefined) return null
        announce({ tenant, kind: 'entitlement', key: voided.customer })
        return grantOf(voided)
      }),
  }
}

export async function grantsOf(db: Kysely<CatalogTables>, tenant: TenantKey, customers: readonly CustomerKey[]) {
  const rows = await rowsOfCustomers(db, 'grants', { tenant, customers, orderBy: ['id'] })
  return byCustomer(rows, grantOf)
}

function selectGrants(db: Kysely<CatalogTables>, tenant: TenantKey, customer: CustomerKey) {
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

function grantOf(row: Selectable<CatalogTables['grants']>): Grant {
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
