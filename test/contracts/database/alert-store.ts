import { beforeEach, describe, expect, test } from 'vitest'
import type { AlertChange } from '../../../adapters/database/alerts/alert-store.ts'
import type { Alert } from '../../../domain/alerts/alert.ts'
import { type CustomerKey, END_OF_TIME_MS, type FeatureKey, type InstantMs, type TenantKey } from '../../../domain/identity.ts'
import { WEBHOOK_BOUNDS } from '../../../domain/webhooks/webhook-bounds.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

export function describeStore({ stores, time, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('alerts', () => {
    const { alerts } = stores
    const { outbox } = stores.billing
    const heard = heardOf('alerts')
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })
    const alert: Alert = {
      ...{ key: 'near', on: 'usage', feature: 'tokens' as FeatureKey, at: { percentNano: 80_000_000_001n }, customers: null },
    }
    const period = { startMs: START as InstantMs, endMs: (START + 1_000) as InstantMs }
    const change = (customer: string, isReached: boolean, given: Partial<AlertChange> = {}): AlertChange => ({
      ...{ alert: 'near', customer: customer as CustomerKey, period, isReached, data: { customer }, ...given },
    })
    const told = async () => {
      while ((await outbox.place(1_000)) > 0);
      return (await outbox.feed(tenant, '0', 100)).map(({ type, object }) => `${type.slice('usage.threshold_'.length)} ${object}`)
    }

    test('an alert is created, same or changed, exact to the last digit, and removed', async () => {
      expect(await alerts.put(tenant, alert)).toMatchObject({ value: { ...alert, createdMs: START }, result: 'created' })
      expect(await alerts.put(tenant, { ...alert })).toMatchObject({ result: 'same' })
      time.nowMs = START + 5
      const changed = { ...alert, customers: ['a' as CustomerKey], at: { units: 1n } }
      expect(await alerts.put(tenant, changed)).toMatchObject({
        value: { ...changed, createdMs: START, updatedMs: START + 5 },
        result: 'changed',
      })
      expect(await alerts.get(tenant, 'near')).toMatchObject(changed)
      expect((await alerts.all()).filter((each) => each.tenant === tenant)).toMatchObject([changed])
      expect([await alerts.remove(tenant, 'near'), await alerts.remove(tenant, 'near')]).toEqual([true, false])
      expect(heard.slice(0, 2)).toEqual(Array(2).fill({ tenant, topic: 'alerts', key: 'near' }))
    })

    test('what is reached is told once in a period, also by two at once; what holds no longer is told once', async () => {
      await alerts.put(tenant, alert)
      const both = await Promise.all([1, 2].map(() => alerts.tell(tenant, [change('a', true), change('b', true)])))
      expect(both.sort()).toEqual([0, 2])
      expect((await told()).sort()).toEqual(['reached near/a', 'reached near/b'])
      expect(await alerts.reached(tenant, { customer: 'a' as CustomerKey })).toEqual([{ alert: 'near', customer: 'a', period }])
      const next = { startMs: period.endMs, endMs: END_OF_TIME_MS }
      expect(await alerts.tell(tenant, [change('a', true, { period: next }), change('b', false), change('c', false)])).toBe(2)
      expect(await alerts.tell(tenant, [change('b', false)])).toBe(0)
      expect((await told()).slice(2)).toEqual(['reached near/a', 'resolved near/b'])
      expect(await alerts.reached(tenant, {})).toEqual([{ alert: 'near', customer: 'a', period: next }])
    })

    test('an alert that was changed or removed knows of nobody', async () => {
      await alerts.put(tenant, alert)
      await alerts.tell(tenant, [change('a', true)])
      await alerts.put(tenant, { ...alert, at: { units: 5n } })
      expect(await alerts.reached(tenant, {})).toEqual([])
      await alerts.remove(tenant, 'near')
      expect(await alerts.tell(tenant, [change('a', true)])).toBe(0)
    })

    test('a tenant has as many alerts as it may', async () => {
      for (let n = 0; n < WEBHOOK_BOUNDS.alerts.most; n++) await alerts.put(tenant, { ...alert, key: `a${n}` })
      expect(await alerts.put(tenant, { ...alert, key: 'more' })).toMatchObject({ code: 'too_many_alerts' })
    })
  })
}
