import { beforeEach, describe, expect, test } from 'vitest'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import { isRefusal, orThrow } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture } from './catalog-fixture.ts'

export function describeStore({ stores, time, freshTenant, heardOf }: DatabaseUnderTest): void {
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
      expect(await stores.customers.get(tenant, 'acme' as CustomerKey)).toEqual({ key: 'acme', ...acme })
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
      })
      expect(heard.map(({ key }) => key).sort()).toEqual(['new-1', 'new-2'])
      expect(await putCustomer('new-1', { subjects: ['s'] })).toMatchObject({ result: 'changed' })
      const page = await stores.customers.list(tenant, { limit: 2 })
      expect(page).toMatchObject({ data: [{ key: 'acme' }, { key: 'new-1', subjects: ['s'] }], nextCursor: expect.any(String) })
    })
  })
}
