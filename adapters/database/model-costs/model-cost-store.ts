import { type Selectable, sql } from 'kysely'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { isInForce, type ModelCostRevision, sharedAlias } from '../../../domain/model-calls/model-cost-entry.ts'
import { type Outcome, refuse, refuseField } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type ModelCostStore = {
  /**
   * Appends a revision; one that says what the latest says is 'same' and appends none. Refuses another currency than the
   * tenant's, an alias that another model has, and more models or revisions than a table holds.
   */
  append(tenant: TenantKey, cost: NewModelCost): Promise<Outcome<PutResult<ModelCostRecord>>>
  /** Every revision, in the order of provider, model and revision. */
  ofTenant(tenant: TenantKey): Promise<readonly ModelCostRecord[]>
}

export type ModelCostRecord = ModelCostRevision & {
  readonly currency: string
  readonly reason: string | null
  readonly createdMs: InstantMs
}
/** `effectiveFromMs` is null for now. */
export type NewModelCost = Omit<ModelCostRevision, 'revision' | 'effectiveFromMs'> & {
  readonly effectiveFromMs: InstantMs | null
  readonly currency: string
  readonly reason: string | null
}

/** Revisions of one tenant: all of them are held in memory wherever calls are priced. */
export const MODEL_COST_REVISIONS_MAX = 20_000

declare module '../database-session.ts' {
  interface DatabaseTables {
    model_costs: {
      tenant: string
      provider: string
      model: string
      revision: number
      effective_from: Date
      currency: string
      reason: string | null
      terms: Json<Terms>
      is_retired: boolean
      created_at: Date
    }
    model_cost_tables: { tenant: string; currency: string }
  }
}
type Terms = Pick<ModelCostRevision, 'aliases' | 'rates' | 'factors' | 'free' | 'ignore'>

declare module '../changes.ts' {
  interface Topics {
    model_costs: string
  }
}

export function sqlModelCostStore(session: DatabaseSession): ModelCostStore {
  return {
    append: (tenant, cost) =>
      session.write(async ({ db, announce }) => {
        const { provider, model, effectiveFromMs, currency, reason, isRetired } = cost
        await sql`INSERT INTO model_cost_tables (tenant, currency) VALUES (${tenant}, ${currency}) ON CONFLICT DO NOTHING`.execute(db)
        // Concurrent changes of one table queue here.
        const table = await db
          .selectFrom('model_cost_tables')
          .selectAll()
          .where('tenant', '=', tenant)
          .forUpdate()
          .executeTakeFirstOrThrow()
        if (table.currency !== currency) return refuseField('currency', refuse('other_cost_currency', { currency, is: table.currency }))
        const rows = await db.selectFrom('model_costs').selectAll().where('tenant', '=', tenant).execute()
        const records = rows.map(modelCostRecordOf)
        const ofModel = records.filter((record) => record.provider === provider && record.model === model)
        const latest = ofModel.reduce<ModelCostRecord | null>((a, b) => (a === null || b.revision > a.revision ? b : a), null)
        const terms = termsOf(cost)
        const isSame = latest !== null && latest.isRetired === isRetired && hasSameContent(termsOf(latest), terms)
        if (latest !== null && isSame && (effectiveFromMs === null || effectiveFromMs === latest.effectiveFromMs)) {
          return { value: latest, result: 'same' }
        }
        if (records.length >= MODEL_COST_REVISIONS_MAX) return refuse('too_many_model_costs', { revisionsMax: MODEL_COST_REVISIONS_MAX })
        const nowMs = session.clock.now()
        const taken = isRetired ? null : sharedAlias(cost, inForceAt(records, nowMs))
        if (taken !== null) return refuseField('aliases', refuse('alias_taken', taken))
        const put = await db
          .insertInto('model_costs')
          .values({
            ...{ tenant, provider, model, currency, reason, is_retired: isRetired },
            ...{ revision: (latest?.revision ?? 0) + 1, effective_from: new Date(effectiveFromMs ?? nowMs) },
            ...{ terms: JSON.stringify(terms), created_at: new Date(nowMs) },
          })
          .returningAll()
          .executeTakeFirstOrThrow()
        announce({ tenant, topic: 'model_costs', key: `${provider}/${model}` })
        return { value: modelCostRecordOf(put), result: latest === null ? 'created' : 'changed' }
      }),

    ofTenant: (tenant) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('model_costs')
          .selectAll()
          .where('tenant', '=', tenant)
          .orderBy('provider')
          .orderBy('model')
          .orderBy('revision')
          .execute()
        return rows.map(modelCostRecordOf)
      }),
  }
}

function termsOf({ aliases, rates, factors, free, ignore }: Terms): Terms {
  return { aliases, rates, factors, free, ignore }
}

function inForceAt(records: readonly ModelCostRecord[], atMs: InstantMs): readonly ModelCostRecord[] {
  return records.filter((record) => isInForce(record, records, atMs))
}

function modelCostRecordOf(row: Selectable<DatabaseTables['model_costs']>): ModelCostRecord {
  const { provider, model, revision, currency, reason, terms, is_retired: isRetired } = row
  return {
    ...{ provider, model, revision, ...terms, isRetired, currency, reason },
    effectiveFromMs: row.effective_from.getTime() as InstantMs,
    createdMs: row.created_at.getTime() as InstantMs,
  }
}
