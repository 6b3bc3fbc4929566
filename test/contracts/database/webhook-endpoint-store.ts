import { beforeEach, describe, expect, test } from 'vitest'
import type { WantedEndpoint } from '../../../adapters/database/webhooks/webhook-endpoint-store.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { WEBHOOK_BOUNDS } from '../../../domain/webhooks/webhook-bounds.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ stores, time, freshTenant }: DatabaseUnderTest): void {
  describe('webhook endpoints', () => {
    const { webhookEndpoints: endpoints } = stores
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })
    const wanted = (key = 'main'): WantedEndpoint => ({ key, url: 'https://example.com/hooks', types: ['invoice.paid'] })

    test('a secret is made with its endpoint and stays when that is changed', async () => {
      const { value, isNew } = await put(wanted(), 'first')
      expect([value, isNew]).toEqual([{ ...wanted(), disabled: null, previousUntilMs: null, createdMs: START, updatedMs: START }, true])
      expect((await put({ ...wanted(), types: null }, 'second')).isNew).toBe(false)
      expect(await endpoints.secrets(tenant, 'main')).toEqual(['first'])
      expect(await endpoints.get(tenant, 'main')).toMatchObject({ types: null })
      expect(await endpoints.secrets('other' as TenantKey, 'main')).toEqual([])
    })

    test('after a rotation both secrets are in force for its time', async () => {
      await put(wanted(), 'first')
      const untilMs = (START + 1_000) as InstantMs
      expect(await endpoints.rotate(tenant, 'main', 'second', untilMs)).toMatchObject({ previousUntilMs: untilMs })
      expect(await endpoints.secrets(tenant, 'main')).toEqual(['second', 'first'])
      time.nowMs = untilMs
      expect(await endpoints.secrets(tenant, 'main')).toEqual(['second'])
      expect(await endpoints.rotate(tenant, 'none', 'x', untilMs)).toBeNull()
    })

    test('one that is switched off says why, tells the others once, and is on again after a put', async () => {
      await put(wanted(), 'first')
      await endpoints.disable(tenant, 'main', 'gone')
      await endpoints.disable(tenant, 'main', 'failing')
      expect(await endpoints.get(tenant, 'main')).toMatchObject({ disabled: { reason: 'gone', atMs: START } })
      const { outbox } = stores.billing
      while ((await outbox.place(1_000)) > 0);
      const told = await outbox.feed(tenant, '0', 10)
      expect(told).toMatchObject([{ type: 'webhook.disabled', object: 'main', data: { endpoint: 'main', reason: 'gone' } }])
      await put(wanted(), 'other')
      expect(await endpoints.get(tenant, 'main')).toMatchObject({ disabled: null })
    })

    test('a tenant has as many endpoints as it may', async () => {
      for (let n = 0; n < WEBHOOK_BOUNDS.endpoints.most; n++) await put(wanted(`e${n}`), 's')
      expect(await endpoints.put(tenant, wanted('more'), 's')).toMatchObject({ code: 'too_many_webhook_endpoints' })
      expect((await everyPage((page) => endpoints.list(tenant, page), 20)).length).toBe(WEBHOOK_BOUNDS.endpoints.most)
      expect([await endpoints.remove(tenant, 'e1'), await endpoints.remove(tenant, 'e1')]).toEqual([true, false])
      expect((await put(wanted('more'), 's')).isNew).toBe(true)
    })

    async function put(endpoint: WantedEndpoint, secret: string) {
      const outcome = await endpoints.put(tenant, endpoint, secret)
      if ('kind' in outcome) throw new Error(outcome.code)
      return outcome
    }
  })
}
