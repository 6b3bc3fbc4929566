import { beforeEach, describe, expect, test } from 'vitest'
import { type RunBillingDeps, runBilling } from '../../../billing/runs/run-billing.ts'
import { nothingBilled } from '../../../domain/billing/billed.ts'
import type { CustomerKey, InstantMs, Offset, Partition, PlanKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import { systemClock } from '../../../runtime/process/system-clock.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture } from './catalog-fixture.ts'

export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  let tenant: TenantKey
  const { putCustomer, putPlan, subscribe, withPlan, withSubscription } = catalogFixture(stores, () => tenant)
  beforeEach(() => {
    tenant = freshTenant()
  })

  describe('closed parts', () => {
    const { closedParts } = stores.billing
    const part = (startMs: number, quantityNano: bigint) => ({
      ...{ plan: 'pro' as PlanKey, planVersion: 1, cell: { startMs, endMs: startMs + 10 }, period: { startMs, endMs: startMs + 10 } },
      ...{ countedAtMs: START as InstantMs, cutOff: { partition: 0, offset: 7 } },
      items: new Map([['charge:calls' as const, { quantityNano, billed: nothingBilled([]) }]]),
    })
    const at = (subscription: SubscriptionId, startMs: number, decision: number, quantityNano = 1n) => {
      return { subscription, decision, part: part(startMs, quantityNano) as never }
    }

    test('are found by their end, come back to the last digit, and the last write of a part holds', async () => {
      const { id } = await withSubscription()
      await closedParts.put(tenant, [at(id, START, 1), at(id, START + 10, 2), at(id, START, 3, 10n ** 30n)])
      expect(await closedParts.having(tenant, (START + 20) as InstantMs, { max: 10 })).toEqual([])
      expect(await closedParts.having(tenant, START as InstantMs, { max: 10 })).toEqual([{ customer: 'acme', subscription: id }])
      expect(await closedParts.having(tenant, START as InstantMs, { customers: ['other' as CustomerKey], max: 10 })).toEqual([])
      const kept = await closedParts.of(tenant, [id], (START + 5) as InstantMs)
      expect(kept.get(id)).toEqual([part(START, 10n ** 30n), part(START + 10, 1n)])
      await closedParts.remove(tenant, id, 3)
      expect((await closedParts.of(tenant, [id], 0 as InstantMs)).get(id)).toEqual([part(START + 10, 1n)])
    })
  })

  describe('several processes that bill at once', () => {
    test('make each document once, with numbers without a gap', async () => {
      const { billing } = stores
      await withPlan()
      orThrow(await putPlan({ baseFee: '30', charges: [] }))
      for (let at = 0; at < SUBSCRIPTIONS; at++) {
        orThrow(await putCustomer(`c${at}`))
        await subscribe(`c${at}`)
      }
      const deps: RunBillingDeps = {
        ...billing,
        ...{ clock: systemClock, partitions: 1, createInvoiceId: billing.invoices.createId },
        eventLog: { partitions: 1, range: async () => ({ start: 0 as Offset, next: 0 as Offset }) },
        usageStore: { positions: async () => new Map([[0 as Partition, 0 as Offset]]) },
        usageReader: { period: async () => [], periods: async (_shape, asked) => asked.map(() => []), isComplete: async () => true },
      }
      const asOfMs = (START + 70 * 86_400_000) as InstantMs
      const runs = await Promise.all(Array.from({ length: 4 }, () => runBilling(deps, { tenant, asOfMs })))
      expect(runs.flatMap(({ setAside }) => setAside)).toEqual([])
      await runBilling(deps, { tenant, asOfMs })
      const all = await billing.audit.numbered(tenant, 'invoice', 0, 10_000)
      expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, at) => at + 1))
      const named = all.map(({ subscription, record }) => `${subscription} ${(record as { closesAt: string }).closesAt}`)
      expect(new Set(named).size).toBe(named.length)
      expect(new Set(all.map(({ subscription }) => subscription)).size).toBe(SUBSCRIPTIONS)
      expect(all.length).toBe(SUBSCRIPTIONS * 3)
    })
  })
}

const SUBSCRIPTIONS = 40
