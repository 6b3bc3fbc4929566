import { beforeEach, describe, expect, test } from 'vitest'
import type { LedgerSnapshot } from '../../../domain/allowance/allowance-ledger.ts'
import { NO_ENTITLEMENT_INPUTS } from '../../../domain/entitlements/entitlement-inputs.ts'
import type { GrantId, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { ACME, putAllowanceCatalog, TERMS, TOKENS } from './allowance-fixture.ts'

export function describeStore({ stores, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('allowance openings', () => {
    let tenant: TenantKey
    const heard = heardOf('allowance_openings')
    beforeEach(async () => {
      tenant = freshTenant()
      await putAllowanceCatalog(stores, tenant)
      heard.length = 0
    })
    const inputs = async () => (await stores.entitlementInputs.read(tenant, [ACME])).get(ACME) ?? NO_ENTITLEMENT_INPUTS

    test('an opening is kept as it is, until a later one or one of another basis', async () => {
      orThrow(await stores.overrides.put(tenant, ACME, TERMS))
      heard.length = 0
      const save = (basis: string, change: Partial<LedgerSnapshot>) =>
        stores.allowanceOpenings.save(tenant, ACME, { feature: TOKENS, basis, ledger: { ...LEDGER, ...change } })
      await save('a', {})
      expect((await inputs()).openings).toEqual([{ feature: TOKENS, basis: 'a', ledger: LEDGER }])
      await save('a', { atMs: at(START - 1), overage: 1n })
      await save('a', { overage: 1n })
      expect((await inputs()).openings).toMatchObject([{ ledger: LEDGER }])
      await save('a', { atMs: at(START + 1), rollover: null })
      expect((await inputs()).openings).toMatchObject([{ ledger: { atMs: START + 1, rollover: null } }])
      await save('b', {})
      expect((await inputs()).openings).toMatchObject([{ basis: 'b', ledger: LEDGER }])
      expect(heard).toEqual(Array(3).fill({ tenant, topic: 'allowance_openings', key: ACME }))
    })
  })
}

const at = (ms: number) => ms as InstantMs

const LEDGER: LedgerSnapshot = {
  atMs: at(START),
  lastResetMs: at(START - 10),
  periodEndMs: at(START + 10),
  planBurned: 10n ** 28n + 1n,
  rollover: { amount: 3n, left: 2n, burned: 1n },
  grants: [{ id: 'grant_1' as GrantId, left: 10n ** 28n, burned: 0n }],
  corrected: 0n,
  overage: 7n,
}
