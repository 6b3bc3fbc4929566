import { beforeEach, describe, expect, test } from 'vitest'
import type { RecordedTry } from '../../../adapters/database/webhooks/webhook-delivery-store.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

export function describeStore({ stores, time, freshTenant }: DatabaseUnderTest): void {
  describe('webhook deliveries', () => {
    const { webhookEndpoints: endpoints, webhookDeliveries: deliveries } = stores
    const { outbox } = stores.billing
    let tenant: TenantKey
    beforeEach(async () => {
      tenant = freshTenant()
      await endpoints.put(tenant, { key: 'all', url: 'https://example.com/all', types: null }, 'secret')
      await endpoints.put(tenant, { key: 'paid', url: 'https://example.com/paid', types: ['invoice.paid'] }, 'secret')
    })

    const tell = async (...told: readonly (readonly ['invoice.finalised' | 'invoice.paid', string])[]) => {
      const createdAtMs = time.nowMs as InstantMs
      await outbox.append(
        tenant,
        told.map(([type, object]) => ({ type, object, data: { of: object }, createdAtMs })),
      )
      while ((await outbox.place(1_000)) > 0);
    }
    /** The database has those of other tests too. */
    const due = async (except: readonly string[] = [], max = 100) =>
      (await deliveries.due(max, except)).filter((each) => each.tenant === tenant)
    const named = async (except: readonly string[] = [], max = 100) =>
      (await due(except, max)).map(({ endpoint, message: { type, object } }) => `${endpoint} ${type} ${object}`).sort()
    const tried = (id: string, change: Partial<RecordedTry>): RecordedTry => ({
      ...{ id, state: 'delivered', nextAtMs: START as InstantMs, tries: 1, triedAtMs: START as InstantMs, tookMs: 5 },
      ...{ status: 200, answer: 'ok', error: null, ...change },
    })

    test('every endpoint gets the types that it wants; of an object the oldest alone is due', async () => {
      await tell(['invoice.finalised', 'a'], ['invoice.paid', 'a'], ['invoice.finalised', 'b'])
      expect(await named()).toEqual(['all invoice.finalised a', 'all invoice.finalised b', 'paid invoice.paid a'])
      expect(await named([], 1)).toEqual(['all invoice.finalised a', 'paid invoice.paid a'])
      const [first] = (await due()).filter(({ endpoint, message }) => endpoint === 'all' && message.object === 'a')
      expect(first).toMatchObject({ url: 'https://example.com/all', secrets: ['secret'], tries: 0, message: { data: { of: 'a' } } })
      expect(await named([first?.id ?? ''])).toEqual(['all invoice.finalised b', 'paid invoice.paid a'])
      await deliveries.record([tried(first?.id ?? '', {})])
      expect(await named()).toEqual(['all invoice.finalised b', 'all invoice.paid a', 'paid invoice.paid a'])
    })

    test('one that failed is due at its next time and holds up those of its object alone; one that was given up holds up none', async () => {
      await tell(['invoice.paid', 'a'], ['invoice.finalised', 'a'])
      const [ofAll] = (await due()).filter(({ endpoint }) => endpoint === 'all')
      const id = ofAll?.id ?? ''
      await deliveries.record([tried(id, { state: 'pending', nextAtMs: (START + 10) as InstantMs, status: 503, answer: 'later' })])
      expect(await named()).toEqual(['paid invoice.paid a'])
      const { data } = await deliveries.list(tenant, 'all', { state: 'pending' }, { limit: 10 })
      expect(data).toMatchObject([
        { tries: 0, status: null, triedAtMs: null, message: { type: 'invoice.finalised' } },
        { tries: 1, status: 503, answer: 'later', nextAtMs: START + 10, triedAtMs: START, tookMs: 5 },
      ])
      time.nowMs = START + 10
      expect(await named()).toContain('all invoice.paid a')
      expect(await deliveries.hasDeliveredSince(tenant, 'all', START as InstantMs)).toBe(false)
      await deliveries.record([tried(id, { state: 'failed', status: null, answer: null, error: 'no answer' })])
      expect(await named()).toEqual(['all invoice.finalised a', 'paid invoice.paid a'])
    })

    test('nothing is due of an endpoint that is off, and nothing is queued for it', async () => {
      await tell(['invoice.finalised', 'a'])
      await endpoints.disable(tenant, 'all', 'gone')
      await tell(['invoice.finalised', 'b'])
      expect(await named()).toEqual([])
      await endpoints.put(tenant, { key: 'all', url: 'https://example.com/all', types: null }, 'secret')
      expect(await named()).toEqual(['all invoice.finalised a'])
    })

    test('a replay sends again what was sent, and what was missed, under the same ids', async () => {
      await tell(['invoice.finalised', 'a'])
      time.nowMs = START + 1_000
      await tell(['invoice.finalised', 'b'], ['invoice.paid', 'b'])
      const all = await due()
      await deliveries.record(all.map(({ id }) => tried(id, {})))
      const everything = { fromMs: null, toMs: null, types: null, ids: null }
      expect(await deliveries.replay(tenant, 'paid', { ...everything, toMs: (START + 500) as InstantMs }, 100)).toBe(1)
      expect(await named()).toEqual(['all invoice.paid b', 'paid invoice.finalised a'])
      expect(await deliveries.replay(tenant, 'paid', { ...everything, types: ['invoice.paid'] }, 100)).toBe(1)
      expect(await deliveries.replay(tenant, 'all', { ...everything, ids: [all[0]?.message.id ?? ''] }, 100)).toBe(1)
      expect(await deliveries.replay(tenant, 'all', everything, 2)).toBe(2)
      expect(await deliveries.replay('other' as TenantKey, 'all', everything, 2)).toBe(0)
      const { data, nextCursor } = await deliveries.list(tenant, 'paid', {}, { limit: 1 })
      const { data: rest } = await deliveries.list(tenant, 'paid', {}, { limit: 9, cursor: nextCursor ?? '' })
      expect([...data, ...rest].map(({ message: { object }, state }) => [object, state])).toEqual([
        ['b', 'pending'],
        ['a', 'pending'],
      ])
    })

    test('one process at a time sends, and another takes over when its time is over', async () => {
      const untilMs = (START + 10_000) as InstantMs
      expect(await deliveries.lead('one', untilMs)).toBe(true)
      expect(await deliveries.lead('two', untilMs)).toBe(false)
      expect(await deliveries.lead('one', untilMs)).toBe(true)
      time.nowMs = START + 10_001
      expect(await deliveries.lead('two', (START + 20_000) as InstantMs)).toBe(true)
      expect(await deliveries.lead('one', untilMs)).toBe(false)
      await deliveries.resign('one')
      expect(await deliveries.lead('one', untilMs)).toBe(false)
      await deliveries.resign('two')
      expect(await deliveries.lead('one', untilMs)).toBe(true)
      await deliveries.resign('one')
    })
  })
}
