import { type Selectable, sql } from 'kysely'
import type { CustomerKey, InstantMs, ProductKey, TenantKey } from '../../../domain/identity.ts'
import type { Activation, LicenseState, LicenseTerms, Suspension } from '../../../domain/selling/license-terms.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'
import { createRecordId } from '../record-id.ts'

export type LicenseStore = {
  createId(nowMs: InstantMs): string
  createActivationId(nowMs: InstantMs): string
  /** Once for each unit of a deliverable of an owner: a repeat adds nothing. Answers those that were added. */
  issue(tenant: TenantKey, licenses: readonly License[]): Promise<readonly License[]>
  get(tenant: TenantKey, id: string): Promise<License | null>
  byKey(tenant: TenantKey, keyHmac: string): Promise<License | null>
  /**
   * The license with its row written, so that whoever activates it next waits for this transaction. What is counted must be read by a
   * later statement: one that waited would still count what was there when it began.
   */
  claim(tenant: TenantKey, keyHmac: string): Promise<License | null>
  lock(tenant: TenantKey, id: string): Promise<License | null>
  save(tenant: TenantKey, license: License): Promise<void>
  ofOwner(tenant: TenantKey, owner: string): Promise<readonly License[]>
  list(tenant: TenantKey, filter: LicenseFilter, page: PageRequest): Promise<Page<License>>
  /** Those that have not ended, and those made since an instant. */
  activationsSince(tenant: TenantKey, license: string, sinceMs: InstantMs): Promise<readonly Activation[]>
  activations(tenant: TenantKey, license: string, page: PageRequest): Promise<Page<Activation>>
  activation(tenant: TenantKey, license: string, id: string): Promise<Activation | null>
  /** Also marks the license as ever activated. */
  activate(tenant: TenantKey, license: string, activation: Activation & { readonly metadata: object }): Promise<void>
  see(tenant: TenantKey, id: string, nowMs: InstantMs): Promise<void>
  /** False when it had ended before. */
  end(tenant: TenantKey, license: string, id: string, nowMs: InstantMs): Promise<boolean>
  endAll(tenant: TenantKey, license: string, nowMs: InstantMs): Promise<void>
}

export type License = LicenseState & {
  readonly id: string
  readonly customer: CustomerKey
  readonly policy: string
  readonly product: ProductKey
  readonly owner: string | null
  readonly deliverable: string | null
  readonly unit: number
  readonly keyHmac: string
  readonly keySealed: string
  readonly lastFour: string
  readonly everActivated: boolean
}

export type LicenseFilter = { readonly customer?: CustomerKey | undefined; readonly policy?: string | undefined }

declare module '../database-session.ts' {
  interface DatabaseTables {
    licenses: {
      tenant: string
      id: string
      customer: string
      policy: string
      product: string
      owner: string | null
      deliverable: string | null
      unit: number
      key_hmac: string
      key_sealed: string
      last_four: string
      terms: Json<LicenseTerms>
      quantity: number
      issued_at: Date
      expires_at: Date | null
      revoked_at: Date | null
      suspended_by: Json<readonly Suspension[]>
      ever_activated: boolean
      version: number
    }
    activations: {
      tenant: string
      id: string
      license: string
      name: string
      fingerprint: string | null
      metadata: Json<object>
      created_at: Date
      seen_at: Date
      ended_at: Date | null
    }
  }
}

export function sqlLicenseStore(session: DatabaseSession): LicenseStore {
  const find = (tenant: TenantKey, column: 'id' | 'key_hmac', value: string, isLocked: boolean) =>
    session.run(async (db) => {
      const query = db.selectFrom('licenses').selectAll().where('tenant', '=', tenant).where(column, '=', value)
      const row = await (isLocked ? query.forUpdate() : query).executeTakeFirst()
      return row === undefined ? null : licenseOf(row)
    })
  return {
    createId: (nowMs) => createRecordId('lic', nowMs, session.randomBytes),
    createActivationId: (nowMs) => createRecordId('act', nowMs, session.randomBytes),
    get: (tenant, id) => find(tenant, 'id', id, false),
    byKey: (tenant, keyHmac) => find(tenant, 'key_hmac', keyHmac, false),
    lock: (tenant, id) => find(tenant, 'id', id, true),

    issue: (tenant, licenses) =>
      session.run(async (db) => {
        if (licenses.length === 0) return []
        const rows = await db
          .insertInto('licenses')
          .values(licenses.map((license) => ({ tenant, ...columnsOf(license), ever_activated: false, version: 0 })))
          .onConflict((conflict) => conflict.columns(['tenant', 'owner', 'deliverable', 'unit']).doNothing())
          .returningAll()
          .execute()
        return rows.map(licenseOf)
      }),

    claim: (tenant, keyHmac) =>
      session.run(async (db) => {
        const { rows } = await sql<Selectable<DatabaseTables['licenses']>>`
          UPDATE licenses SET version = version + 1 WHERE tenant = ${tenant} AND key_hmac = ${keyHmac} RETURNING *`.execute(db)
        return rows[0] === undefined ? null : licenseOf(rows[0])
      }),

    save: (tenant, { id, ...license }) =>
      session.run(async (db) => {
        const { id: _id, ...columns } = columnsOf({ id, ...license })
        await db.updateTable('licenses').set(columns).where('tenant', '=', tenant).where('id', '=', id).execute()
      }),

    ofOwner: (tenant, owner) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('licenses')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('owner', '=', owner)
          .orderBy('deliverable')
          .orderBy('unit')
          .execute()
        return rows.map(licenseOf)
      }),

    list: (tenant, { customer, policy }, page) =>
      session.run(async (db) => {
        const list = listName('licenses', { customer, policy })
        let query = db.selectFrom('licenses').selectAll().where('tenant', '=', tenant).where('id', '>', keyAfter(list, page))
        if (customer !== undefined) query = query.where('customer', '=', customer)
        if (policy !== undefined) query = query.where('policy', '=', policy)
        const rows = await query
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(list, rows, page, ({ id }) => id, licenseOf)
      }),

    activationsSince: (tenant, license, sinceMs) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('activations')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('license', '=', license)
          .where(({ eb }) => eb.or([eb('ended_at', 'is', null), eb('created_at', '>', new Date(sinceMs))]))
          .orderBy('created_at')
          .orderBy('id')
          .execute()
        return rows.map(activationOf)
      }),

    activations: (tenant, license, page) =>
      session.run(async (db) => {
        const list = listName('activations', { license })
        const rows = await db
          .selectFrom('activations')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('license', '=', license)
          .where('id', '>', keyAfter(list, page))
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(list, rows, page, ({ id }) => id, activationOf)
      }),

    activation: (tenant, license, id) =>
      session.run(async (db) => {
        const row = await db
          .selectFrom('activations')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('license', '=', license)
          .where('id', '=', id)
          .executeTakeFirst()
        return row === undefined ? null : activationOf(row)
      }),

    activate: (tenant, license, { id, name, fingerprint, createdMs, metadata }) =>
      session.run(async (db) => {
        const now = new Date(createdMs)
        await db
          .insertInto('activations')
          .values({
            ...{
              tenant,
              id,
              license,
              name,
              fingerprint,
              metadata: JSON.stringify(metadata),
              created_at: now,
              seen_at: now,
              ended_at: null,
            },
          })
          .execute()
        await sql`UPDATE licenses SET ever_activated = true WHERE tenant = ${tenant} AND id = ${license} AND NOT ever_activated`.execute(db)
      }),

    see: (tenant, id, nowMs) =>
      session.run(async (db) => {
        await sql`
          UPDATE activations SET seen_at = greatest(seen_at, ${new Date(nowMs)}::timestamptz)
          WHERE tenant = ${tenant} AND id = ${id} AND ended_at IS NULL`.execute(db)
      }),

    end: (tenant, license, id, nowMs) =>
      session.run(async (db) => {
        const ended = await db
          .updateTable('activations')
          .set({ ended_at: new Date(nowMs) })
          .where('tenant', '=', tenant)
          .where('license', '=', license)
          .where('id', '=', id)
          .where('ended_at', 'is', null)
          .returning('id')
          .executeTakeFirst()
        return ended !== undefined
      }),

    endAll: (tenant, license, nowMs) =>
      session.run(async (db) => {
        await db
          .updateTable('activations')
          .set({ ended_at: new Date(nowMs) })
          .where('tenant', '=', tenant)
          .where('license', '=', license)
          .where('ended_at', 'is', null)
          .execute()
      }),
  }
}

function columnsOf(license: Omit<License, 'everActivated'>) {
  const { id, customer, policy, product, owner, deliverable, unit, keyHmac, keySealed, lastFour, terms, quantity } = license
  const date = (ms: InstantMs | null) => (ms === null ? null : new Date(ms))
  return {
    ...{ id, customer, policy, product, owner, deliverable, unit, key_hmac: keyHmac, key_sealed: keySealed, last_four: lastFour },
    ...{ terms: JSON.stringify(terms), quantity, suspended_by: JSON.stringify(license.suspendedBy) },
    ...{ issued_at: new Date(license.issuedMs), expires_at: date(license.expiresMs), revoked_at: date(license.revokedMs) },
  }
}

function licenseOf(row: Selectable<DatabaseTables['licenses']>): License {
  const instant = (date: Date | null) => (date === null ? null : (date.getTime() as InstantMs))
  const { id, policy, owner, deliverable, unit, terms, quantity } = row
  return {
    ...{ id, customer: row.customer as CustomerKey, policy, product: row.product as ProductKey, owner, deliverable, unit, terms, quantity },
    ...{ keyHmac: row.key_hmac, keySealed: row.key_sealed, lastFour: row.last_four, everActivated: row.ever_activated },
    ...{ issuedMs: row.issued_at.getTime() as InstantMs, expiresMs: instant(row.expires_at), revokedMs: instant(row.revoked_at) },
    suspendedBy: row.suspended_by,
  }
}

function activationOf(row: Selectable<DatabaseTables['activations']>): Activation {
  const instant = (date: Date) => date.getTime() as InstantMs
  return {
    ...{ id: row.id, name: row.name, fingerprint: row.fingerprint, createdMs: instant(row.created_at), seenMs: instant(row.seen_at) },
    endedMs: row.ended_at === null ? null : instant(row.ended_at),
  }
}
