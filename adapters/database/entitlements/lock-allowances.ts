import type { Transaction } from 'kysely'
import type { CustomerKey, FeatureKey, TenantKey } from '../../../domain/identity.ts'
import { type Refusal, refuse, refuseField } from '../../../domain/refusal.ts'
import type { DatabaseTables } from '../database-session.ts'

/**
 * Changes to one customer's allowances queue up on the customer's row. Refuses `unknown_customer`; refuses by the field `feature`
 * when the change does not fit the feature, which is part of the request where the customer is its subject.
 */
export async function lockAllowances(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  customer: CustomerKey,
  feature: FeatureKey,
  needs?: 'metered',
): Promise<Refusal | null> {
  const owner = await db
    .selectFrom('customers')
    .select('key')
    .where('tenant', '=', tenant)
    .where('key', '=', customer)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (owner === undefined) return refuse('unknown_customer', { customer })
  const known = await db.selectFrom('features').select('type').where('tenant', '=', tenant).where('key', '=', feature).executeTakeFirst()
  if (known === undefined) return refuseField('feature', refuse('unknown_feature', { feature }))
  if (needs !== 'metered' || known.type === 'metered') return null
  return refuse('feature_not_metered', { feature, wanted: 'grant' })
}
