import type { Transaction } from 'kysely'
import type { CustomerKey, FeatureKey, TenantKey } from '../../../domain/identity.ts'
import { type Refusal, refuse } from '../../../domain/refusal.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'

/** Changes to what one customer has queue up on its row. A refusal when there is no such customer or feature. */
export async function lockAllowances(
  trx: Transaction<CatalogTables>,
  tenant: TenantKey,
  customer: CustomerKey,
  feature: FeatureKey,
  needs?: 'metered',
): Promise<Refusal | null> {
  const owner = await trx
    .selectFrom('customers')
    .select('key')
    .where('tenant', '=', tenant)
    .where('key', '=', customer)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (owner === undefined) return refuseUnknown('customer', customer)
  const known = await trx.selectFrom('features').select('type').where('tenant', '=', tenant).where('key', '=', feature).executeTakeFirst()
  if (known === undefined) return refuseUnknown('feature', feature)
  if (needs !== 'metered' || known.type === 'metered') return null
  return refuse('feature_not_metered', `${feature} is ${known.type}, and only metered features have units.`, { status: 409 })
}

function refuseUnknown(field: 'customer' | 'feature', key: string): Refusal {
  const detail = `${field} ${key} does not exist; PUT /v1/${field}s/${key} first.`
  return refuse(`unknown_${field}`, detail, { errors: [{ field, code: `unknown_${field}`, detail }] })
}
