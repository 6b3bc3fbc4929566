import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import type { Money } from '../../../domain/billing/money.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { Attempt, AttemptState, DisputeState } from '../../../domain/selling/payment-attempt.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { exactJson } from '../exact-json.ts'

/** Tries to collect money, and what providers told of them. */
export type PaymentAttemptStore = {
  /** 128 random bits: providers and pages name the attempt by it. */
  createId(): string
  create(tenant: TenantKey, attempt: NewAttempt): Promise<void>
  find(id: string): Promise<StoredAttempt | null>
  /** Of a checkout, in the order of their numbers. */
  ofCheckout(checkout: string): Promise<readonly StoredAttempt[]>
  save(attempt: Attempt, nowMs: InstantMs): Promise<void>
  /** The provider's own name of it, known after the call. */
  setReference(id: string, reference: string, nowMs: InstantMs): Promise<void>
  /** Adds to what goes back to the payer by ourselves. */
  giveBack(id: string, amount: Money, nowMs: InstantMs): Promise<void>
  /** Those that the provider has still to give money back of, of every tenant; rows that others hold are left out. */
  lockGivingBack(limit: number): Promise<readonly StoredAttempt[]>
  setGivenBack(id: string, givenBack: Money, nowMs: InstantMs): Promise<void>
  /** False when the provider told this very notice before. */
  keepNotice(notice: KeptNotice): Promise<boolean>
  /** Notices that a person has to look at, newest first. */
  setAside(
    tenant: TenantKey,
    limit: number,
  ): Promise<readonly { readonly id: string; readonly reason: string; readonly keptMs: InstantMs }[]>
}

export type NewAttempt = Attempt & {
  readonly checkout: string
  readonly number: number
  readonly provider: string
  readonly nowMs: InstantMs
}
export type StoredAttempt = Attempt & {
  readonly tenant: TenantKey
  readonly checkout: string | null
  readonly number: number
  readonly provider: string
  readonly reference: string | null
  readonly owedBack: Money
  readonly givenBack: Money
}
export type KeptNotice = {
  readonly provider: string
  readonly id: string
  /** Null where no tenant has the attempt. */
  readonly tenant: TenantKey | null
  readonly notice: unknown
  readonly setAside: string | null
  readonly nowMs: InstantMs
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    /** numeric: decimal text. */
    payment_attempts: {
      id: string
      tenant: string
      checkout: string | null
      number: number
      provider: string
      reference: string | null
      currency: string
      amount: string
      state: AttemptState
      refunded: string
      dispute: DisputeState
      is_counted: boolean
      owed_back: string
      given_back: string
      created_at: Date
      updated_at: Date
    }
    payment_notices: {
      provider: string
      id: string
      tenant: string | null
      notice: Json<unknown>
      set_aside: string | null
      kept_at: Date
    }
  }
}

export function sqlPaymentAttemptStore(session: DatabaseSession): PaymentAttemptStore {
  const set = (id: string, columns: Partial<Record<'reference' | 'given_back', string>>, nowMs: InstantMs) =>
    session.run(async (db) => {
      await db
        .updateTable('payment_attempts')
        .set({ ...columns, updated_at: new Date(nowMs) })
        .where('id', '=', id)
        .execute()
    })
  return {
    createId: () => `pay_${Buffer.from(session.randomBytes(16)).toString('hex')}`,

    create: (tenant, { id, checkout, number, provider, currency, amount, nowMs, ...attempt }) =>
      session.run(async (db) => {
        const now = new Date(nowMs)
        await db
          .insertInto('payment_attempts')
          .values({
            ...{
              id,
              tenant,
              checkout,
              number,
              provider,
              reference: null,
              currency,
              amount: String(amount),
              owed_back: '0',
              given_back: '0',
            },
            ...{ ...columnsOf(attempt), created_at: now, updated_at: now },
          })
          .execute()
      }),

    find: (id) =>
      session.run(async (db) => {
        const row = await db.selectFrom('payment_attempts').selectAll().where('id', '=', id).executeTakeFirst()
        return row === undefined ? null : attemptOf(row)
      }),

    ofCheckout: (checkout) =>
      session.run(async (db) => {
        const rows = await db.selectFrom('payment_attempts').selectAll().where('checkout', '=', checkout).orderBy('number').execute()
        return rows.map(attemptOf)
      }),

    save: ({ id, ...attempt }, nowMs) =>
      session.run(async (db) => {
        const columns = { ...columnsOf(attempt), updated_at: new Date(nowMs) }
        await db.updateTable('payment_attempts').set(columns).where('id', '=', id).execute()
      }),

    setReference: (id, reference, nowMs) => set(id, { reference }, nowMs),
    setGivenBack: (id, givenBack, nowMs) => set(id, { given_back: String(givenBack) }, nowMs),

    giveBack: (id, amount, nowMs) =>
      session.run(async (db) => {
        const more = sql<string>`owed_back + ${String(amount)}::numeric`
        await db
          .updateTable('payment_attempts')
          .set({ owed_back: more, updated_at: new Date(nowMs) })
          .where('id', '=', id)
          .execute()
      }),

    lockGivingBack: (limit) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('payment_attempts')
          .selectAll()
          .whereRef('owed_back', '>', 'given_back')
          .orderBy('updated_at')
          .limit(limit)
          .forUpdate()
          .skipLocked()
          .execute()
        return rows.map(attemptOf)
      }),

    keepNotice: ({ provider, id, tenant, notice, setAside, nowMs }) =>
      session.run(async (db) => {
        const kept = await db
          .insertInto('payment_notices')
          .values({ provider, id, tenant, notice: exactJson(notice), set_aside: setAside, kept_at: new Date(nowMs) })
          .onConflict((conflict) => conflict.doNothing())
          .returning('id')
          .executeTakeFirst()
        return kept !== undefined
      }),

    setAside: (tenant, limit) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('payment_notices')
          .select(['id', 'set_aside', 'kept_at'])
          .where('tenant', '=', tenant)
          .where('set_aside', 'is not', null)
          .orderBy('kept_at', 'desc')
          .limit(limit)
          .execute()
        return rows.map(({ id, set_aside, kept_at }) => ({ id, reason: set_aside ?? '', keptMs: kept_at.getTime() as InstantMs }))
      }),
  }
}

function columnsOf({ state, refunded, dispute, isCounted }: Pick<Attempt, 'state' | 'refunded' | 'dispute' | 'isCounted'>) {
  return { state, refunded: String(refunded), dispute, is_counted: isCounted }
}

function attemptOf(row: Selectable<DatabaseTables['payment_attempts']>): StoredAttempt {
  const money = (text: string) => BigInt(text) as Money
  const { id, tenant, checkout, number, provider, reference, currency, state, dispute } = row
  return {
    ...{ id, tenant: tenant as TenantKey, checkout, number, provider, reference, currency, state, dispute, isCounted: row.is_counted },
    ...{ amount: money(row.amount), refunded: money(row.refunded), owedBack: money(row.owed_back), givenBack: money(row.given_back) },
  }
}
