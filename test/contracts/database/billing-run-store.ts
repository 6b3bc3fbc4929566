import { beforeEach, describe, expect, test } from 'vitest'
import type { BillingRun } from '../../../billing/runs/billing-runs.ts'
import type { Partition, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'

export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('billing runs', () => {
    const { runs } = stores.billing
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a run is there from its beginning, then with what came of it, and of its tenant alone', async () => {
      const at = '2026-01-31T12:00:00.000Z'
      const run: BillingRun = { id: 'run-1', status: 'running', startedAt: at, asOf: at, dryRun: false }
      await runs.save(tenant, run.id, run)
      expect(await runs.get(tenant, run.id)).toEqual(run)
      const ended: BillingRun = {
        ...{
          ...run,
          status: 'finished',
          tookMs: 12,
          cutOffs: { 0: 7 },
          behind: [1 as Partition],
          due: 3,
          finalised: 2,
          nothingDue: 0,
          dropped: 0,
        },
        ...{ setAsideCount: 1, setAside: [{ subscription: 'sub', code: 'internal', detail: 'why' }] },
      }
      await runs.save(tenant, run.id, ended)
      expect(await runs.get(tenant, run.id)).toEqual(ended)
      expect(await runs.get(tenant, 'none')).toBeNull()
      expect(await runs.get('other' as TenantKey, run.id)).toBeNull()
    })
  })
}
