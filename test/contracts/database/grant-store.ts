import { sql } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Grant } from '../../../domain/allowance/grant.ts'
import { CATALOG_BOUNDS } from '../../../domain/catalog/catalog-bounds.ts'
import { NO_ENTITLEMENT_INPUTS } from '../../../domain/entitlements/entitlement-inputs.ts'
import type { CustomerKey, FeatureKey, GrantId, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { ACME, GRANT, putAllowanceCatalog, REGION, TERMS, TOKENS } from './allowance-fixture.ts'

export function describeStore({ stores, session, time, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('grants', () => {
    let tenant: TenantKey
    const heard = heardOf('grants')
    beforeEach(async () => {
      tenant = freshTenant()
      await putAllowanceCatalog(stores, tenant)
      heard.length = 0
    })
    const inputs = async () => (await stores.entitlementInputs.read(tenant, [ACME])).get(ACME) ?? NO_ENTITLEMENT_INPUTS
    const grant = (change: Partial<Grant> = {}) => stores.grants.create(tenant, { ...GRANT, ...change })

    test('they are appended and voided, and nothing else changes of them', async () => {
      const first = orThrow(await grant())
      expect(first).toEqual({ ...GRANT, id: expect.stringMatching(/^grant_/), voidedAtMs: null })
      time.nowMs += 5
      const second = orThrow(await grant({ amount: 10n ** 28n, expiresAtMs: null, createdAtMs: at(time.nowMs) }))
      expect((await stores.grants.list(tenant, { customer: ACME }, { limit: 10 })).data).toEqual([first, second])
      time.nowMs += 5
      const voided = { ...first, voidedAtMs: START + 10 }
      expect(await stores.grants.void(tenant, first.id)).toEqual(voided)
      time.nowMs += 5
      expect(await stores.grants.void(tenant, first.id)).toEqual(voided)
      expect(await stores.grants.void(tenant, 'grant_none' as GrantId)).toBeNull()
      expect(await stores.grants.void('other' as TenantKey, second.id)).toBeNull()
      expect(heard.every(({ key }) => key === ACME)).toBe(true)
      expect(heard).toHaveLength(4)
      expect((await inputs()).grants).toEqual([])
      orThrow(await stores.overrides.put(tenant, ACME, TERMS))
      expect((await inputs()).grants).toEqual([voided, second])
    })

    test('one more than may be is refused', async () => {
      orThrow(await grant())
      await session.run(async (db) => {
        await sql`
          INSERT INTO grants SELECT (g2).* FROM (
            SELECT jsonb_populate_record(grants, jsonb_build_object('id', 'grant_' || n)) AS g2
            FROM grants, generate_series(2, ${CATALOG_BOUNDS.grants.most}) AS n WHERE tenant = ${tenant}) AS more`.execute(db)
      })
      expect(await grant()).toMatchObject({ code: 'too_many_grants', fields: { grantsMax: 10_000 } })
    })

    test('pages hold those of one feature, or of all, once', async () => {
      for (let n = 0; n < 5; n++) orThrow(await grant({ createdAtMs: at(START + n) }))
      const first = await stores.grants.list(tenant, { customer: ACME, feature: TOKENS }, { limit: 3 })
      const cursor = first.nextCursor ?? 'there is a next page'
      const rest = await stores.grants.list(tenant, { customer: ACME, feature: TOKENS }, { limit: 3, cursor })
      expect(new Set([...first.data, ...rest.data].map(({ id }) => id)).size).toBe(5)
      expect(rest.nextCursor).toBeNull()
      expect((await stores.grants.list(tenant, { customer: ACME, feature: REGION }, { limit: 3 })).data).toEqual([])
    })

    test.each([
      { change: { customer: 'nobody' as CustomerKey }, code: 'unknown_customer' },
      { change: { feature: 'nothing' as FeatureKey }, code: 'unknown_feature' },
      { change: { feature: 'region' as FeatureKey }, code: 'feature_not_metered' },
    ])('refused: $code', async ({ change, code }) => {
      expect(await grant(change)).toMatchObject({ code })
      expect(heard).toEqual([])
    })
  })
}

const at = (ms: number) => ms as InstantMs
