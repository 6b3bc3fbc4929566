import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { openDurablePGlite } from '../adapters/database/engine/durable-pglite.ts'
import { customerKey } from './usage-workload.ts'

/**
 * Subscribes the first customers to version 1 of a plan in the embedded catalog of a server that is not running: as rows, since that
 * many requests would take longer than the measured work. Resolves with the ids of the subscriptions.
 */
export async function subscribeInBulk(dataDir: string, count: number, plan = 'pro'): Promise<readonly string[]> {
  const pglite = await openDurablePGlite(join(dataDir, 'catalog'))
  try {
    const firstStartMs = Date.now() - SUBSCRIBED_FOR_MS
    const prefix = `sub_${randomBytes(6).toString('hex')}`
    for (let from = 0; from < count; from += ROWS_AT_ONCE) {
      const keys = Array.from({ length: Math.min(ROWS_AT_ONCE, count - from) }, (_, at) => customerKey(from + at))
      const ids = keys.map((_, at) => subscriptionId(prefix, from + at))
      // Each starts at an instant of its own within a day, like real subscriptions, so that no two have the same period.
      const starts = keys.map((_, at) => new Date(firstStartMs + Math.floor(((from + at) * DAY_MS) / count)).toISOString())
      await pglite.query(`INSERT INTO customers (tenant, key, metadata) SELECT 'default', unnest($1::text[]), '{}'`, [keys])
      await pglite.query(
        `INSERT INTO subscriptions (tenant, id, customer, start_at, anchor_at)
         SELECT 'default', id, customer, start_at, start_at
         FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS rows (id, customer, start_at)`,
        [ids, keys, starts],
      )
      await pglite.query(
        `INSERT INTO subscription_phases (tenant, subscription, position, plan, plan_version, start_at)
         SELECT 'default', id, 0, $3, 1, start_at FROM unnest($1::text[], $2::timestamptz[]) AS rows (id, start_at)`,
        [ids, starts, plan],
      )
      await pglite.query(
        `INSERT INTO billing_cursors (tenant, subscription, customer, usage_billed_to, version, next_due_at, billed)
         SELECT 'default', id, customer, start_at, 0, start_at, '{"baseFees": [], "parts": [], "committed": null}'
         FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS rows (id, customer, start_at)`,
        [ids, keys, starts],
      )
    }
    return Array.from({ length: count }, (_, index) => subscriptionId(prefix, index))
  } finally {
    await pglite.close()
  }
}

const DAY_MS = 86_400_000
/** Long enough for the current period to hold all stored events. */
export const SUBSCRIBED_FOR_MS = 20 * DAY_MS
const ROWS_AT_ONCE = 5_000

function subscriptionId(prefix: string, index: number): string {
  return `${prefix}${String(index).padStart(9, '0')}`
}
