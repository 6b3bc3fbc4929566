import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { openDurablePGlite } from '../adapters/catalog/durable-pglite.ts'
import { customerKey } from './usage-workload.ts'

/**
 * Subscribes the first customers in the embedded catalog of a server that is not running, to the plan `pro`: as rows, since so
 * many requests would take longer than what is to be measured. Resolves with the ids of the subscriptions.
 */
export async function subscribeInBulk(dataDir: string, count: number): Promise<readonly string[]> {
  const pglite = await openDurablePGlite(join(dataDir, 'catalog'))
  try {
    const startAt = new Date(Date.now() - SUBSCRIBED_FOR_MS).toISOString()
    const prefix = `sub_${randomBytes(6).toString('hex')}`
    for (let from = 0; from < count; from += ROWS_AT_ONCE) {
      const keys = Array.from({ length: Math.min(ROWS_AT_ONCE, count - from) }, (_, at) => customerKey(from + at))
      const ids = keys.map((_, at) => subscriptionId(prefix, from + at))
      await pglite.query(`INSERT INTO customers (tenant, key, metadata) SELECT 'default', unnest($1::text[]), '{}'`, [keys])
      await pglite.query(
        `INSERT INTO subscriptions (tenant, id, customer, start_at, anchor_at)
         SELECT 'default', id, customer, $3::timestamptz, $3::timestamptz FROM unnest($1::text[], $2::text[]) AS rows (id, customer)`,
        [ids, keys, startAt],
      )
      await pglite.query(
        `INSERT INTO subscription_phases (tenant, subscription, position, plan, plan_version, start_at)
         SELECT 'default', unnest($1::text[]), 0, 'pro', 1, $2::timestamptz`,
        [ids, startAt],
      )
    }
    return Array.from({ length: count }, (_, index) => subscriptionId(prefix, index))
  } finally {
    await pglite.close()
  }
}

/** So that the period under way holds all of the stored events. */
const SUBSCRIBED_FOR_MS = 20 * 86_400_000
const ROWS_AT_ONCE = 5_000

function subscriptionId(prefix: string, index: number): string {
  return `${prefix}${String(index).padStart(9, '0')}`
}
