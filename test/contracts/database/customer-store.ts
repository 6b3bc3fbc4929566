import { beforeEach, describe, expect, test } from 'vitest'
import { ENSURED_AT_ONCE, sqlCustomerStore } from '../../../adapters/database/customers/customer-store.ts'
import type { CustomerFilter } from '../../../adapters/database/customers/list-customers.ts'
import type { Customer } from '../../../domain/catalog/customer.ts'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import { isRefusal, orThrow } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture } from './catalog-fixture.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ stores, session, time, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('customers', () => {
    let tenant: TenantKey
    const heard = heardOf('customers')
    const { putCustomer } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a customer is put with its subjects, which then lead to it', async () => {
      const acme = { name: 'Acme', email: 'a@acme.test', subjects: ['u2', 'u1'], metadata: { tier: { level: 3 } } }
      expect(await putCustomer('acme', acme)).toMatchObject({ result: 'created' })
      expect(await putCustomer('acme', acme)).toMatchObject({ result: 'same' })
      expect(await stores.customers.get(tenant, 'acme' as CustomerKey)).toEqual({ key: 'acme', ...acme, ...MADE })
      const always = { customer: 'acme', fromMs: 0, untilMs: null }
      expect(await stores.customers.nameHistories(tenant, ['u1', 'u2', 'acme', 'u3'])).toEqual(
        new Map([
          ['u1', [always]],
          ['u2', [always]],
        ]),
      )
      time.nowMs = START + 5
      expect(await putCustomer('acme', { ...acme, subjects: ['u3'] })).toMatchObject({ result: 'changed' })
      expect(await stores.customers.nameHistories(tenant, ['u1', 'u3'])).toEqual(
        new Map([
          ['u1', [{ ...always, untilMs: START + 5 }]],
          ['u3', [always]],
        ]),
      )
      expect(await stores.customers.nameHistories('other' as TenantKey, ['u3'])).toEqual(new Map())
    })

    test('a subject that moves is the one’s until then and the other’s from then on, without a gap', async () => {
      const moves = ['a', null, 'b', 'a', 'b'] as const
      for (const [index, owner] of moves.entries()) {
        time.nowMs = START + (index + 1) * 10
        const others = (['a', 'b'] as const).filter((key) => key !== owner)
        for (const key of others) orThrow(await putCustomer(key, { subjects: [] }))
        if (owner !== null) orThrow(await putCustomer(owner, { subjects: ['seat', `own-${owner}`] }))
      }
      expect((await stores.customers.nameHistories(tenant, ['seat'])).get('seat')).toEqual([
        { customer: 'a', fromMs: 0, untilMs: START + 20 },
        { customer: 'b', fromMs: START + 20, untilMs: START + 40 },
        { customer: 'a', fromMs: START + 40, untilMs: START + 50 },
        { customer: 'b', fromMs: START + 50, untilMs: null },
      ])
    })

    test('a customer that has only appeared is adopted by whoever has its key as a subject, and is no customer any more', async () => {
      const seen = (key: string) => stores.customers.ensure([{ tenant, key: key as CustomerKey }])
      await seen('user-7')
      orThrow(await putCustomer('acme', { subjects: ['user-7'] }))
      expect(await stores.customers.get(tenant, 'user-7' as CustomerKey)).toBeNull()
      expect((await stores.customers.list(tenant, { limit: 10 })).data.map(({ key }) => key)).toEqual(['acme'])
      expect(await stores.adoptions.adopted(tenant)).toEqual(['user-7'])
      const pending = (await stores.adoptions.pending()).filter((each) => each.tenant === tenant)
      expect(pending).toMatchObject([{ customer: 'user-7', adopter: 'acme' }])
      for (const adoption of pending) await stores.adoptions.settle(adoption)
      expect((await stores.adoptions.pending()).filter((each) => each.tenant === tenant)).toEqual([])
      // An event that was on its way does not make it again, and its name stays its adopter's until another takes it.
      await seen('user-7')
      expect(await putCustomer('user-7')).toMatchObject({ code: 'subject_taken' })
      orThrow(await putCustomer('acme', { subjects: [] }))
      expect(await putCustomer('user-7')).toMatchObject({ code: 'customer_adopted' })
      time.nowMs = START + 50
      orThrow(await putCustomer('globex', { subjects: ['user-7'] }))
      expect((await stores.customers.nameHistories(tenant, ['user-7'])).get('user-7')).toEqual([
        { customer: 'acme', fromMs: 0, untilMs: START + 50 },
        { customer: 'globex', fromMs: START + 50, untilMs: null },
      ])
    })

    test('who appears by a name that is a customer’s by then is adopted at once', async () => {
      orThrow(await putCustomer('acme', { subjects: ['late'] }))
      await stores.customers.ensure([{ tenant, key: 'late' as CustomerKey }])
      expect(await stores.adoptions.adopted(tenant)).toEqual(['late'])
      expect((await putCustomer('acme', { subjects: ['late'], name: 'A' })) as object).toMatchObject({ result: 'changed' })
    })

    test.each([
      { title: 'with a name', make: () => putCustomer('other', { name: 'Other' }) },
      { title: 'with subjects', make: () => putCustomer('other', { subjects: ['x'] }) },
    ])('a customer $title is not adopted', async ({ make }) => {
      orThrow(await putCustomer('acme', { name: 'Acme' }))
      orThrow(await make())
      const adopt = (key: string, other: string) => stores.customers.adopt(tenant, key as CustomerKey, other as CustomerKey)
      expect(await adopt('acme', 'other')).toMatchObject({ code: 'not_adoptable' })
      expect(await adopt('acme', 'nobody')).toMatchObject({ code: 'unknown_customer' })
      expect(await adopt('nobody', 'acme')).toMatchObject({ code: 'unknown_customer' })
      expect(await adopt('acme', 'acme')).toMatchObject({ key: 'acme' })
    })

    test('a customer that was put, with nothing but a key, is adopted when asked for and not by a subject', async () => {
      orThrow(await putCustomer('acme'))
      orThrow(await putCustomer('bare'))
      expect(await putCustomer('acme', { subjects: ['bare'] })).toMatchObject({ code: 'subject_taken' })
      expect(await stores.customers.adopt(tenant, 'acme' as CustomerKey, 'bare' as CustomerKey)).toMatchObject({ subjects: ['bare'] })
    })

    test.each(['auth0|5f7c', 'USER#1', 'a/b', '山田 太郎', "x'; --", '{p1}', '👩‍💻'.repeat(30)])(
      '%s is a key and a subject',
      async (name) => {
        orThrow(await putCustomer(name))
        expect((await stores.customers.get(tenant, name as CustomerKey))?.key).toBe(name)
        orThrow(await putCustomer('acme', { subjects: [`${name}2`] }))
        expect([...(await stores.customers.nameHistories(tenant, [`${name}2`])).keys()]).toEqual([`${name}2`])
      },
    )

    test('customers that differ in case alone are found, and whether one exists itself', async () => {
      orThrow(await putCustomer('acme'))
      const similar = await stores.customers.similar(tenant, ['ACME', 'acme', 'u3', "x' OR 1=1"] as CustomerKey[])
      expect(similar).toEqual({ existing: new Set(['acme']), similar: new Map([['ACME', 'acme']]) })
      expect((await stores.customers.similar('other' as TenantKey, ['ACME' as CustomerKey])).similar.size).toBe(0)
    })

    test.each([
      { title: 'another customer has it as a subject', subjects: ['x', 'shared'], field: 'subjects[1]' },
      { title: 'it is another customer', subjects: ['acme'], field: 'subjects[0]' },
    ])('a subject is refused when $title', async ({ subjects, field }) => {
      orThrow(await putCustomer('acme', { subjects: ['shared'] }))
      expect(await putCustomer('other', { subjects })).toMatchObject({ code: 'subject_taken', errors: [{ field }] })
      expect(await stores.customers.get(tenant, 'other' as CustomerKey)).toBeNull()
      expect(await putCustomer('shared')).toMatchObject({ code: 'subject_taken', errors: [{ field: 'key' }] })
    })

    test('of customers that claim one subject at once one gets it', async () => {
      const puts = await Promise.all(Array.from({ length: 20 }, (_, n) => putCustomer(`c${n}`, { subjects: [`own-${n}`, 'shared'] })))
      expect(puts.filter((put) => !isRefusal(put))).toHaveLength(1)
      const claimKeyAndSubject = await Promise.all([putCustomer('name'), putCustomer('rival', { subjects: ['name'] })])
      expect(claimKeyAndSubject.filter((put) => !isRefusal(put))).toHaveLength(1)
    })

    test('many customers seen at once are made in slices, between which others have their turn', async () => {
      let writes = 0
      const countedWrite: typeof session.write = (work) => {
        writes++
        return session.write(work)
      }
      const counted = sqlCustomerStore({ ...session, write: countedWrite })
      const keys = Array.from({ length: 2 * ENSURED_AT_ONCE + 1 }, (_, n) => `seen-${n}` as CustomerKey)
      await counted.ensure(keys.map((key) => ({ tenant, key })))
      expect(writes).toBe(3)
      const similar = await counted.similar(tenant, keys)
      expect(similar.existing.size).toBe(keys.length)
    })

    test('customers seen in events are made once, bare, and leave known ones alone', async () => {
      orThrow(await putCustomer('acme', { name: 'Acme' }))
      heard.length = 0
      const seen = ['acme', 'new-1', 'new-2'].map((key) => ({ tenant, key: key as CustomerKey }))
      await Promise.all([stores.customers.ensure(seen), stores.customers.ensure(seen.toReversed()), stores.customers.ensure([])])
      expect(await stores.customers.get(tenant, 'acme' as CustomerKey)).toMatchObject({ name: 'Acme' })
      expect(await stores.customers.get(tenant, 'new-1' as CustomerKey)).toEqual({
        key: 'new-1',
        name: null,
        email: null,
        subjects: [],
        metadata: {},
        ...MADE,
      })
      expect(heard.map(({ key }) => key).sort()).toEqual(['new-1', 'new-2'])
      expect(await putCustomer('new-1', { subjects: ['s'] })).toMatchObject({ result: 'changed' })
      const page = await stores.customers.list(tenant, { limit: 2 }, { sort: 'key' })
      expect(page).toMatchObject({ data: [{ key: 'acme' }, { key: 'new-1', subjects: ['s'] }], nextCursor: expect.any(String) })
    })

    describe('lists', () => {
      const keysOf = (filter: CustomerFilter = {}, limit = 2) => everyPage((page) => stores.customers.list(tenant, page, filter), limit)
      beforeEach(async () => {
        const put = async (key: string, change: Partial<Customer>) => {
          time.nowMs += 1_000
          orThrow(await putCustomer(key, change))
        }
        await put('cus_1', { name: 'Acme Robotics', email: 'billing@acme.test', metadata: { plan: 'pro', seats: 12 } })
        await put('cus_2', { name: 'Ärzte ohne Grenzen', subjects: ['auth0|5f7c'] })
        await put('cus_3', { email: 'BILLING@globex.test', metadata: { plan: 'free', trial: true } })
        await stores.customers.ensure([{ tenant, key: 'ACME-by-event' as CustomerKey }])
      })

      test.each([
        { title: 'no filter', filter: {}, keys: ['cus_3', 'ACME-by-event', 'cus_2', 'cus_1'] },
        { title: 'the order of keys', filter: { sort: 'key' }, keys: ['ACME-by-event', 'cus_1', 'cus_2', 'cus_3'] },
        { title: 'part of a key or a name', filter: { search: 'acme' }, keys: ['ACME-by-event', 'cus_1'] },
        { title: 'the middle of a word', filter: { search: 'BOTIC' }, keys: ['cus_1'] },
        { title: 'letters of other scripts', filter: { search: 'ÄRZTE' }, keys: ['cus_2'] },
        { title: 'a value of the metadata', filter: { search: 'free' }, keys: ['cus_3'] },
        { title: 'a whole subject', filter: { search: 'auth0|5f7c' }, keys: ['cus_2'] },
        { title: 'characters of patterns', filter: { search: '%' }, keys: [] },
        { title: 'an e-mail', filter: { email: 'billing@GLOBEX.test' }, keys: ['cus_3'] },
        { title: 'a name', filter: { name: 'acme robotics' }, keys: ['cus_1'] },
        { title: 'metadata as text', filter: { metadata: { plan: 'pro' } }, keys: ['cus_1'] },
        { title: 'metadata as number', filter: { metadata: { seats: '12' } }, keys: ['cus_1'] },
        { title: 'metadata as boolean', filter: { metadata: { trial: 'true' } }, keys: ['cus_3'] },
        { title: 'several filters', filter: { metadata: { plan: 'pro' }, search: 'globex' }, keys: [] },
        { title: 'archived ones', filter: { archived: 'true' }, keys: [] },
      ] as const)('$title', async ({ filter, keys }) => {
        const newestFirst = keys[0] === 'cus_3' && keys.length === 4
        const found = await keysOf(filter)
        // What an event has made and what was put last share an instant; keys decide.
        expect(newestFirst ? [...found].sort() : found).toEqual(newestFirst ? [...keys].sort() : keys)
        expect(await stores.customers.list(tenant, { limit: 1, count: true }, filter)).toMatchObject({ count: keys.length })
      })

      test('newest first, and those of one instant in one order, so that pages hold each once', async () => {
        await stores.customers.ensure(Array.from({ length: 20 }, (_, n) => ({ tenant, key: `e${n}` as CustomerKey })))
        const found = await keysOf({}, 3)
        expect(found).toHaveLength(24)
        expect(new Set(found).size).toBe(24)
        expect(found.at(-1)).toBe('cus_1')
      })

      test('an archived customer leaves the list, has no new subscription, and what it has goes on', async () => {
        const catalog = catalogFixture(stores, () => tenant)
        await catalog.withPlan()
        const running = await catalog.subscribe('cus_1')
        expect(await stores.customers.archive(tenant, 'cus_1' as CustomerKey, true)).toMatchObject({ key: 'cus_1', archivedMs: time.nowMs })
        expect(await keysOf({ archived: 'false' })).not.toContain('cus_1')
        expect(await keysOf({ archived: 'true' })).toEqual(['cus_1'])
        await expect(catalog.subscribe('cus_1')).rejects.toMatchObject({ refusal: { code: 'archived' } })
        expect(await stores.subscriptions.get(tenant, running.id)).toMatchObject({ endMs: null })
        await stores.customers.archive(tenant, 'cus_1' as CustomerKey, false)
        await catalog.subscribe('cus_1')
      })
    })

    test('customers put together have each its own outcome, also those that name the same', async () => {
      orThrow(await putCustomer('old', { name: 'Old', subjects: ['taken'] }))
      const customer = (key: string, change: Partial<Customer> = {}): Customer => ({
        ...{ key: key as CustomerKey, name: null, email: null, subjects: [], metadata: {} },
        ...change,
      })
      const puts = await stores.customers.putAll(tenant, [
        customer('a', { subjects: ['s1'] }),
        customer('b', { subjects: ['taken'] }),
        customer('old', { name: 'Old', subjects: ['taken'] }),
        customer('a', { subjects: [] }),
        customer('c', { subjects: ['s1'] }),
        customer('d', { subjects: ['c'] }),
      ])
      expect(puts.map((put) => ('result' in put ? put.result : put.code))).toEqual([
        ...['created', 'subject_taken', 'same', 'changed', 'created', 'subject_taken'],
      ])
      expect((await everyPage((page) => stores.customers.list(tenant, page), 10)).sort()).toEqual(['a', 'c', 'old'])
    })
  })
}

const MADE = { createdMs: START, updatedMs: START, archivedMs: null }
