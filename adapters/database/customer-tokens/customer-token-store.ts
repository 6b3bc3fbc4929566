import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, refuse } from '../../../domain/refusal.ts'
import type { DatabaseSession, Json } from '../database-session.ts'

/** What customer tokens are checked by. The tokens themselves are stored nowhere. */
export type CustomerTokenStore = {
  /** Newest first. */
  signingKeys(): Promise<readonly SigningKey[]>
  /** Adds a key, and drops those made before `dropBeforeMs`, whose tokens have all expired. */
  addSigningKey(key: SigningKey, dropBeforeMs: InstantMs): Promise<void>
  /** Tokens of the customer made before `notBeforeMs` are good no more; an earlier instant than the one there changes nothing. Refuses `unknown_customer`. */
  endAll(tenant: TenantKey, customer: CustomerKey, notBeforeMs: InstantMs): Promise<Outcome<InstantMs>>
  /** The customers of all tenants whose tokens were ended after this instant. */
  endedAfter(afterMs: InstantMs): Promise<readonly EndedTokens[]>
}

/** `privateKey`: a JSON Web Key of Ed25519. */
export type SigningKey = { readonly id: string; readonly createdAtMs: InstantMs; readonly privateKey: Readonly<Record<string, unknown>> }
export type EndedTokens = { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly notBeforeMs: InstantMs }

declare module '../database-session.ts' {
  interface DatabaseTables {
    token_signing_keys: { id: string; created_at: Date; private_key: Json<SigningKey['privateKey']> }
    customer_tokens_not_before: { tenant: string; customer: string; not_before: Date }
  }
}

declare module '../changes.ts' {
  interface Topics {
    /** By customer. */
    endedTokens: CustomerKey
  }
}

export function sqlCustomerTokenStore(session: DatabaseSession): CustomerTokenStore {
  return {
    signingKeys: () =>
      session.run(async (db) => {
        const rows = await db.selectFrom('token_signing_keys').selectAll().orderBy('created_at', 'desc').orderBy('id').execute()
        return rows.map((row) => ({ id: row.id, createdAtMs: row.created_at.getTime() as InstantMs, privateKey: row.private_key }))
      }),

    addSigningKey: ({ id, createdAtMs, privateKey }, dropBeforeMs) =>
      session.write(async ({ db }) => {
        await db.deleteFrom('token_signing_keys').where('created_at', '<', new Date(dropBeforeMs)).execute()
        await db
          .insertInto('token_signing_keys')
          .values({ id, created_at: new Date(createdAtMs), private_key: JSON.stringify(privateKey) })
          .execute()
      }),

    endAll: (tenant, customer, notBeforeMs) =>
      session.write(async ({ db, announce }) => {
        const known = await db
          .selectFrom('customers')
          .select('key')
          .where('tenant', '=', tenant)
          .where('key', '=', customer)
          .executeTakeFirst()
        if (known === undefined) return refuse('unknown_customer', { customer })
        const row = await db
          .insertInto('customer_tokens_not_before')
          .values({ tenant, customer, not_before: new Date(notBeforeMs) })
          .onConflict((conflict) =>
            conflict.columns(['tenant', 'customer']).doUpdateSet(({ fn, ref }) => ({
              not_before: fn<Date>('greatest', [ref('customer_tokens_not_before.not_before'), ref('excluded.not_before')]),
            })),
          )
          .returning('not_before')
          .executeTakeFirstOrThrow()
        announce({ tenant, topic: 'endedTokens', key: customer })
        return row.not_before.getTime() as InstantMs
      }),

    endedAfter: (afterMs) =>
      session.run(async (db) => {
        const rows = await db.selectFrom('customer_tokens_not_before').selectAll().where('not_before', '>', new Date(afterMs)).execute()
        return rows.map((row) => ({
          ...{ tenant: row.tenant as TenantKey, customer: row.customer as CustomerKey },
          notBeforeMs: row.not_before.getTime() as InstantMs,
        }))
      }),
  }
}
