import { sql } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import { actAs } from '../../../adapters/database/acting.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

const ANNA = { actor: 'key/anna', route: 'PUT /v1/products/:key', address: '192.0.2.1', requestId: 'r-1' }
const ALL = { limit: 100 }
/** Written by the system, or with a chain of its own, or no change of what is set up. A new table is audited, or stands here. */
const NOT_AUDITED = [
  'activations',
  'adoptions',
  'alerts_reached',
  'allowance_openings',
  'analyst_changes',
  'audit_heads',
  'audit_log',
  'billed_meters',
  'billing_accounts',
  'billing_cursors',
  'checkouts',
  'closed_parts',
  'coupon_uses',
  'customer_names',
  'download_counts',
  'holdings',
  'idempotency_keys',
  'ledger_entries',
  'ledger_transactions',
  'model_cost_tables',
  'number_series',
  'outbox',
  'payment_attempts',
  'payment_notices',
  'tenants',
  'webhook_deliveries',
]

export function describeStore({ stores, session, time, freshTenant }: DatabaseUnderTest): void {
  describe('the audit log', () => {
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })
    const { audit, products } = stores
    const put = (key: string, name: string, who = ANNA) => actAs(who, () => products.put(tenant, { key, name, description: null } as never))

    test('a change is on record with who made it, what was before and what is after', async () => {
      await put('ai', 'AI')
      await put('ai', 'AI')
      time.nowMs = START + 1_000
      await put('ai', 'Intelligence', { ...ANNA, actor: 'key/ben' })
      const { data } = await audit.list(tenant, ALL, {})
      expect(data).toMatchObject([
        {
          ...{ sequence: 2, atMs: START + 1_000, acting: { ...ANNA, actor: 'key/ben' } },
          ...{ objectType: 'product', object: 'ai', change: 'changed', before: { name: 'AI' }, after: { name: 'Intelligence' } },
        },
        { sequence: 1, atMs: START, acting: ANNA, change: 'created', before: null, after: { key: 'ai', name: 'AI' } },
      ])
      expect(data[0]?.previousHash).toBe(data[1]?.hash)
      expect(await audit.check(tenant)).toEqual({ entries: 2, brokenAt: null })
    })

    test('what the system does by itself, and what is taken back, is not on record', async () => {
      await products.put(tenant, { key: 'ai', name: 'AI', description: null } as never)
      const failed = actAs(ANNA, () =>
        session.write(async ({ db }) => {
          await sql`UPDATE products SET name = 'other' WHERE tenant = ${tenant}`.execute(db)
          throw new Error('a bug')
        }),
      )
      await expect(failed).rejects.toThrow('a bug')
      expect((await audit.list(tenant, ALL, {})).data).toEqual([])
      expect(await audit.check(tenant)).toEqual({ entries: 0, brokenAt: null })
    })

    test('secrets are not on record, also not as hashes', async () => {
      const secretHash = 'f'.repeat(63) + tenant
      await actAs(ANNA, async () => {
        const { id } = await stores.keys.create({ tenant, name: 'web', scopes: ['admin'], secretHash })
        await stores.keys.rotate(tenant, id, `${secretHash}2`, 1_000)
      })
      const { data } = await audit.list(tenant, ALL, { objectType: 'key' })
      expect(data.map(({ change }) => change)).toEqual(['changed', 'created'])
      expect(JSON.stringify(data)).not.toContain('ffff')
    })

    test('it is found by actor, object and time, in pages', async () => {
      for (let n = 0; n < 5; n++) {
        time.nowMs = START + n
        await put(`p${n % 2}`, `name ${n}`, { ...ANNA, actor: n < 3 ? 'key/anna' : 'key/ben' })
      }
      const sequences = async (filter: Parameters<typeof audit.list>[2]) =>
        (await audit.list(tenant, ALL, filter)).data.map(({ sequence }) => sequence)
      expect(await sequences({ actor: 'key/ben' })).toEqual([5, 4])
      expect(await sequences({ objectType: 'product', object: 'p1' })).toEqual([4, 2])
      expect(await sequences({ fromMs: (START + 1) as InstantMs, toMs: (START + 3) as InstantMs })).toEqual([3, 2])
      expect(await sequences({ objectType: 'plan' })).toEqual([])
      const first = await audit.list(tenant, { limit: 3 }, {})
      const cursor = first.nextCursor ?? ''
      const second = await audit.list(tenant, { limit: 3, cursor }, {})
      expect([...first.data, ...second.data].map(({ sequence }) => sequence)).toEqual([5, 4, 3, 2, 1])
      await expect(audit.list(tenant, { limit: 3, cursor }, { actor: 'key/ben' })).rejects.toMatchObject({
        refusal: { code: 'invalid_cursor' },
      })
    })

    test('changes at once, and many of one transaction, are chained, each once', async () => {
      const many = (of: string) =>
        actAs(ANNA, () =>
          session.write(({ db }) =>
            sql`INSERT INTO products (tenant, key, name) SELECT ${tenant}, ${of} || n, 'name' FROM generate_series(1, 500) AS n`.execute(
              db,
            ),
          ),
        )
      await Promise.all([...Array.from({ length: 8 }, (_, n) => put(`p${n}`, 'name')), many('a'), many('b')])
      expect(await audit.check(tenant)).toEqual({ entries: 1_008, brokenAt: null })
      await put('p1', 'other')
      expect((await audit.list(tenant, { limit: 1 }, {})).data).toMatchObject([{ sequence: 1_009 }])
      expect(await audit.check(tenant)).toEqual({ entries: 1_009, brokenAt: null })
    })

    test('a row cannot be changed; one that is changed or taken out past that shows, and where', async () => {
      for (let n = 1; n <= 4; n++) await put('ai', `name ${n}`)
      const edit = (statement: ReturnType<typeof sql>) => session.run((db) => statement.execute(db))
      const update = sql`UPDATE audit_log SET after = '{"name":"never"}' WHERE tenant = ${tenant} AND sequence = 3`
      await expect(edit(update)).rejects.toThrow(/only ever added/)
      await session.write(async ({ db }) => {
        await sql`ALTER TABLE audit_log DISABLE TRIGGER audit_log_stays`.execute(db)
        await update.execute(db)
        await sql`ALTER TABLE audit_log ENABLE TRIGGER audit_log_stays`.execute(db)
      })
      expect(await audit.check(tenant)).toEqual({ entries: 4, brokenAt: 3 })
      await edit(sql`DELETE FROM audit_log WHERE tenant = ${tenant} AND sequence = 3`)
      expect(await audit.check(tenant)).toEqual({ entries: 3, brokenAt: 4 })
      await edit(sql`DELETE FROM audit_log WHERE tenant = ${tenant} AND sequence = 4`)
      expect(await audit.check(tenant)).toEqual({ entries: 2, brokenAt: 4 })
    })

    test('every table of a tenant is audited, but for those that are known not to be', async () => {
      const { rows } = await session.run((db) =>
        sql<{ name: string }>`
          SELECT table_name AS name FROM information_schema.columns AS tables
          WHERE column_name = 'tenant' AND table_schema = current_schema()
            AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = tables.table_name::regclass AND tgname = tables.table_name || '_audited')
          ORDER BY name`.execute(db),
      )
      expect(rows.map(({ name }) => name)).toEqual(NOT_AUDITED)
    })

    test('old entries are taken off the beginning, and the rest is a chain', async () => {
      for (let n = 0; n < 4; n++) {
        time.nowMs = START + n
        await put('ai', `name ${n}`)
      }
      expect(await audit.prune((START + 2) as InstantMs)).toBeGreaterThanOrEqual(2)
      expect(await audit.check(tenant)).toEqual({ entries: 2, brokenAt: null })
      await audit.prune((START + 100) as InstantMs)
      expect(await audit.check(tenant)).toEqual({ entries: 1, brokenAt: null })
    })
  })
}
