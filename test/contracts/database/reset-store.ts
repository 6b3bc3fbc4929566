import { sql } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import { CATALOG_BOUNDS } from '../../../domain/catalog/catalog-bounds.ts'
import { NO_ENTITLEMENT_INPUTS } from '../../../domain/entitlements/entitlement-inputs.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { isRefusal, orThrow } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { ACME, putAllowanceCatalog, REGION, TERMS, TOKENS } from './allowance-fixture.ts'

export function describeStore({ stores, session, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('resets', () => {
    let tenant: TenantKey
    const heard = heardOf('resets')
    beforeEach(async () => {
      tenant = freshTenant()
      await putAllowanceCatalog(stores, tenant)
      heard.length = 0
    })
    const inputs = async () => (await stores.entitlementInputs.read(tenant, [ACME])).get(ACME) ?? NO_ENTITLEMENT_INPUTS

    test('a reset by hand is on record, with who, when, before and after', async () => {
      const reset = {
        customer: ACME,
        feature: TOKENS,
        atMs: at(START + 7),
        by: 'key_1',
        reason: 'an outage of ours',
        before: { used: '12.5', remaining: null, overage: '0' },
        after: { used: '0', remaining: '1', overage: '0' },
      }
      const recorded = orThrow(await stores.resets.record(tenant, reset))
      expect(recorded).toEqual({ ...reset, id: expect.stringMatching(/^reset_/) })
      const second = orThrow(await stores.resets.record(tenant, { ...reset, atMs: at(START + 8), reason: null }))
      const page = await stores.resets.list(tenant, { customer: ACME, feature: TOKENS }, { limit: 1 })
      expect(page).toEqual({ data: [recorded], nextCursor: expect.any(String) })
      const rest = await stores.resets.list(tenant, { customer: ACME, feature: TOKENS }, { limit: 1, cursor: page.nextCursor ?? '' })
      expect(rest).toEqual({ data: [second], nextCursor: null })
      expect(isRefusal(await stores.resets.record(tenant, { ...reset, feature: REGION }))).toBe(true)
      orThrow(await stores.overrides.put(tenant, ACME, TERMS))
      expect((await inputs()).manualResets).toEqual([START + 7, START + 8].map((atMs) => ({ feature: TOKENS, atMs })))
      expect(heard[0]).toEqual({ tenant, topic: 'resets', key: ACME })
    })

    test('one more than may be is refused', async () => {
      const figures = { used: '0', remaining: null, overage: '0' }
      const reset = { customer: ACME, feature: TOKENS, atMs: at(START), by: 'key_1', reason: null, before: figures, after: figures }
      orThrow(await stores.resets.record(tenant, reset))
      await session.run(async (db) => {
        await sql`
          INSERT INTO balance_resets SELECT (r2).* FROM (
            SELECT jsonb_populate_record(balance_resets, jsonb_build_object('id', 'reset_' || n)) AS r2
            FROM balance_resets, generate_series(2, ${CATALOG_BOUNDS.resets.most}) AS n WHERE tenant = ${tenant}) AS more`.execute(db)
      })
      expect(await stores.resets.record(tenant, reset)).toMatchObject({ code: 'too_many_resets', fields: { resetsMax: 10_000 } })
    })
  })
}

const at = (ms: number) => ms as InstantMs
