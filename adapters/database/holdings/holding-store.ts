import { type Selectable, sql } from 'kysely'
import type { Deliverable } from '../../../domain/catalog/plan-selling.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { createRecordId } from '../record-id.ts'

/** Downloads and links that customers have, by an order or a subscription, which says whether they still have them. */
export type HoldingStore = {
  createId(nowMs: InstantMs): string
  /** Once for each deliverable of an owner: a repeat adds nothing. */
  grant(tenant: TenantKey, holdings: readonly Holding[]): Promise<void>
  of(tenant: TenantKey, customer: CustomerKey): Promise<readonly Holding[]>
  get(tenant: TenantKey, id: string): Promise<Holding | null>
  /** The same; its row stays locked until the transaction ends, so that two first downloads are counted once. */
  lock(tenant: TenantKey, id: string): Promise<Holding | null>
  countDownload(tenant: TenantKey, holding: string, release: string, nowMs: InstantMs): Promise<void>
  /** When a holding's downloads were counted, by release; the newest 1,000. */
  downloadsOf(tenant: TenantKey, holding: string): Promise<readonly { readonly release: string; readonly atMs: InstantMs }[]>
}

export type HeldDeliverable = Exclude<Deliverable, { readonly kind: 'license' }>
export type Holding = {
  readonly id: string
  readonly customer: CustomerKey
  /** The id of an order or a subscription. */
  readonly owner: string
  readonly terms: HeldDeliverable
  readonly grantedMs: InstantMs
}

/** Holdings of one customer that are shown: with each its releases are read. */
export const HOLDINGS_MAX = 1_000
const COUNTS_READ_MAX = 1_000

declare module '../database-session.ts' {
  interface DatabaseTables {
    holdings: {
      tenant: string
      id: string
      customer: string
      owner: string
      deliverable: string
      terms: Json<HeldDeliverable>
      granted_at: Date
    }
    download_counts: { tenant: string; holding: string; release: string; counted_at: Date }
  }
}

export function sqlHoldingStore(session: DatabaseSession): HoldingStore {
  const find = (tenant: TenantKey, id: string, isLocked: boolean) =>
    session.run(async (db) => {
      const query = db.selectFrom('holdings').selectAll().where('tenant', '=', tenant).where('id', '=', id)
      const row = await (isLocked ? query.forUpdate() : query).executeTakeFirst()
      return row === undefined ? null : holdingOf(row)
    })
  return {
    createId: (nowMs) => createRecordId('hold', nowMs, session.randomBytes),
    get: (tenant, id) => find(tenant, id, false),
    lock: (tenant, id) => find(tenant, id, true),

    grant: (tenant, holdings) =>
      session.run(async (db) => {
        if (holdings.length === 0) return
        const rows = holdings.map(({ terms, grantedMs, ...holding }) => ({
          ...{ tenant, ...holding, deliverable: terms.key, terms: JSON.stringify(terms), granted_at: new Date(grantedMs) },
        }))
        await db
          .insertInto('holdings')
          .values(rows)
          .onConflict((conflict) => conflict.columns(['tenant', 'owner', 'deliverable']).doNothing())
          .execute()
      }),

    of: (tenant, customer) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('holdings')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .orderBy('id', 'desc')
          .limit(HOLDINGS_MAX)
          .execute()
        return rows.map(holdingOf)
      }),

    countDownload: (tenant, holding, release, nowMs) =>
      session.run(async (db) => {
        await db
          .insertInto('download_counts')
          .values({ tenant, holding, release, counted_at: new Date(nowMs) })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      }),

    downloadsOf: (tenant, holding) =>
      session.run(async (db) => {
        const { rows } = await sql<{ release: string; counted_at: Date }>`
          SELECT release, counted_at FROM download_counts WHERE tenant = ${tenant} AND holding = ${holding}
          ORDER BY counted_at DESC LIMIT ${COUNTS_READ_MAX}`.execute(db)
        return rows.map(({ release, counted_at }) => ({ release, atMs: counted_at.getTime() as InstantMs }))
      }),
  }
}

function holdingOf({ id, customer, owner, terms, granted_at }: Selectable<DatabaseTables['holdings']>): Holding {
  return { id, customer: customer as CustomerKey, owner, terms, grantedMs: granted_at.getTime() as InstantMs }
}
