import { beforeEach, describe, expect, test } from 'vitest'
import type { StoredInvoice } from '../../../adapters/database/invoices/invoice-store.ts'
import type { PostedTransaction } from '../../../adapters/database/ledger/ledger-store.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

const HOUR_MS = 3_600_000

/** The book as auditors, exports and months read it. */
export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('the book, read in order', () => {
    const { invoices, ledger, credits, audit, exports, months } = stores.billing
    const at = (hours: number) => (START + hours * HOUR_MS) as InstantMs
    let tenant: TenantKey
    beforeEach(async () => {
      tenant = freshTenant()
      await invoices.append(tenant, [
        invoice('inv_a', 'one', 1, at(0), { kind: 'cycle', net: '3.00', tax: '0.60' }),
        invoice('inv_b', 'two', 2, at(1), { kind: 'opening', net: '1.50', tax: '0.30' }),
        invoice('inv_c', 'one', 3, at(1), { kind: 'cycle', net: '0.01', tax: '0.00' }),
      ])
      await invoices.moveSeries(tenant, 'invoice', { last: 0, lastHash: null })
      await ledger.post(tenant, [posted('t1', at(0)), posted('t2', at(1))])
    })

    test('an audit walks numbers and customers page by page, and sees each document once', async () => {
      const numbered = []
      for (let after = 0; after < 3; after++) numbered.push(...(await audit.numbered(tenant, 'invoice', after, 1)))
      expect(numbered.map(({ id, sequence }) => [id, sequence])).toEqual([
        ['inv_a', 1],
        ['inv_b', 2],
        ['inv_c', 3],
      ])
      expect(await audit.customers(tenant, '', 1)).toEqual(['one'])
      expect(await audit.customers(tenant, 'one', 9)).toEqual(['two'])
      const ofOne = await audit.documentsOf(tenant, ['one' as CustomerKey], at(1))
      expect(ofOne.map(({ id }) => id)).toEqual(['inv_c'])
      expect(await audit.tenants()).toContain(tenant)
    })

    test('the ledger of a sound book has no differences; a balance and a payment without entries are named', async () => {
      expect(await audit.ledgerDifferences(tenant, 10)).toEqual([])
      const account = { customer: 'one' as CustomerKey, currency: 'EUR' }
      await credits.lock(tenant, [account])
      await credits.save(tenant, [{ ...account, account: { balance: 5n as Money, credits: [], version: 0 } }])
      await invoices.settle(tenant, 'inv_a', { status: 'finalised', due: 0n as Money, paid: 7n as Money })
      expect(await audit.ledgerDifferences(tenant, 10)).toEqual([
        { what: 'the balance of account is what its entries sum to', where: 'one EUR', expected: '0', found: '5' },
        { what: 'what is paid of a document is what its payments sum to', where: 'inv_a', expected: '0', found: '7' },
      ])
    })

    test('exports page through documents and entries in the order of time, and neither skip nor repeat', async () => {
      const all = { fromMs: undefined, toMs: undefined }
      const documents = []
      for (let after = null; ; ) {
        const [next] = await exports.documents(tenant, all, after, 1)
        if (next === undefined) break
        documents.push(next)
        after = next
      }
      expect(documents.map(({ id }) => id)).toEqual(['inv_a', 'inv_b', 'inv_c'])
      expect((await exports.documents(tenant, { fromMs: at(0), toMs: at(1) }, null, 9)).map(({ id }) => id)).toEqual(['inv_a'])
      const entries = []
      for (let after = null; ; ) {
        const [next] = await exports.entries(tenant, all, after, 1)
        if (next === undefined) break
        entries.push(next)
        after = next
      }
      expect(entries.map(({ source, position, amount }) => [source, position, amount])).toEqual([
        ...[
          ['t1', 0, 100n],
          ['t1', 1, -100n],
          ['t2', 0, 100n],
          ['t2', 1, -100n],
        ],
      ])
      expect((await exports.entries(tenant, { fromMs: at(1), toMs: undefined }, null, 9)).map(({ source }) => source)).toEqual(['t2', 't2'])
    })

    test('what closes a period is of the month that ends there, what opens one of the month that begins', async () => {
      const sums = async (from: number, to: number) => (await months.sums(tenant, { fromMs: at(from), toMs: at(to) })).documents
      expect(await sums(-1, 0)).toMatchObject([{ documents: 1, net: '3.00', tax: '0.60', due: 100n }])
      expect(await sums(0, 1)).toMatchObject([{ documents: 1, net: '0.01' }])
      expect(await sums(1, 2)).toMatchObject([{ documents: 1, net: '1.50' }])
      expect(await months.sums(tenant, { fromMs: at(0), toMs: at(1) })).toMatchObject({
        adjustments: [{ currency: 'EUR', lines: 1, amount: '-2.00' }],
        taxes: [{ currency: 'EUR', key: 'vat', name: 'VAT', percent: '20', base: '3.00', amount: '0.60' }],
      })
    })
  })
}

function invoice(
  id: string,
  customer: string,
  sequence: number,
  closesAtMs: InstantMs,
  { kind, net, tax }: { readonly kind: string; readonly net: string; readonly tax: string },
): StoredInvoice {
  const sums = { subtotal: net, discount: '0.00', credits: '0.00', net, tax, total: net }
  const taxes = [{ key: 'vat', name: 'VAT', percent: '20', base: '3.00', amount: '0.60' }]
  return {
    ...{ id, customer: customer as CustomerKey, subscription: id as SubscriptionId, decision: 1, status: 'finalised', currency: 'EUR' },
    ...{ closesAtMs, due: 100n as Money, paid: 0n as Money, undo: {} },
    numbered: { series: 'invoice', sequence, contentHash: `h${sequence}`, previousHash: null },
    record: { kind, document: 'invoice', ...sums, taxes, lines: [{ line: '1', kind: 'adjustment', amount: '-2.00' }] },
  }
}

function posted(source: string, postedAtMs: InstantMs): PostedTransaction {
  const entries = [
    { account: 'receivable' as const, amount: 100n as Money },
    { account: 'revenue' as const, amount: -100n as Money },
  ]
  return { customer: 'one' as CustomerKey, currency: 'EUR', postedAtMs, transaction: { source, entries } }
}
