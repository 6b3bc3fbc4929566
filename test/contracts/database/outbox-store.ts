import { beforeEach, describe, expect, test } from 'vitest'
import type { StoredInvoice } from '../../../adapters/database/invoices/invoice-store.ts'
import type { OutboxMessage } from '../../../adapters/database/outbox/outbox-store.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { refuse } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('the outbox', () => {
    const { outbox, invoices, write } = stores.billing
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })
    const placeAll = async () => {
      while ((await outbox.place(1_000)) > 0);
    }
    const message = (object: string, data: unknown = {}): OutboxMessage => ({
      ...{ type: 'invoice.finalised', object, data, createdAtMs: START as InstantMs },
    })

    test('messages come back oldest first, from behind an id on, each once', async () => {
      await outbox.append(tenant, [message('a', { total: '1.00', lines: [] }), message('b')])
      await outbox.append(tenant, [message('c')])
      await outbox.append(tenant, [])
      expect(await outbox.feed(tenant, '0', 10)).toEqual([])
      await placeAll()
      const first = await outbox.feed(tenant, '0', 2)
      expect(first.map(({ id: _id, position: _position, ...each }) => each)).toEqual([
        message('a', { total: '1.00', lines: [] }),
        message('b'),
      ])
      expect((await outbox.feed(tenant, first.at(-1)?.position ?? '0', 10)).map(({ object }) => object)).toEqual(['c'])
      expect(await outbox.feed(tenant, '0', 10, ['invoice.paid'])).toEqual([])
      expect(await outbox.end(tenant)).toBe((await outbox.feed(tenant, '0', 10)).at(-1)?.position)
      expect(await outbox.feed('other' as TenantKey, '0', 10)).toEqual([])
    })

    test('a document is told of as it was made final, in the order of their numbers', async () => {
      const type = 'invoice.finalised' as const
      const createdAtMs = START as InstantMs
      await invoices.append(tenant, [invoice('inv_a', 'first'), invoice('inv_b', 'second')])
      await outbox.appendDocuments(tenant, [
        { type, object: 'inv_b', createdAtMs },
        { type, object: 'inv_a', createdAtMs },
      ])
      await placeAll()
      expect(await outbox.feed(tenant, '0', 9)).toMatchObject([
        { type, object: 'inv_b', data: { number: 'second' }, createdAtMs },
        { type, object: 'inv_a', data: { number: 'first' }, createdAtMs },
      ])
    })

    test('old ones are forgotten', async () => {
      await outbox.append(tenant, [{ ...message('old'), createdAtMs: 0 as InstantMs }, message('new')])
      await placeAll()
      await outbox.prune(START as InstantMs)
      expect((await outbox.feed(tenant, '0', 10)).map(({ object }) => object)).toEqual(['new'])
    })

    test('what is taken back tells nobody', async () => {
      await write(async (own) => {
        await own.outbox.append(tenant, [message('never')])
        return refuse('unknown_invoice', { invoice: 'none' })
      })
      await placeAll()
      expect(await outbox.feed(tenant, '0', 10)).toEqual([])
    })
  })
}

function invoice(id: string, number: string): StoredInvoice {
  return {
    ...{ id, customer: 'acme' as CustomerKey, subscription: null, decision: null, status: 'finalised', currency: 'EUR' },
    ...{ closesAtMs: START as InstantMs, due: 0n as Money, paid: 0n as Money, record: { number }, undo: {}, numbered: null },
  }
}
