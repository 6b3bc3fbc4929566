import { beforeEach, describe, expect, test } from 'vitest'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import { isRefusal, orThrow } from '../../../domain/refusal.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'
import { catalogFixture } from './catalog-fixture.ts'

export function describeStore({ stores, freshTenant, heardOf }: DatabaseUnderTest): void {
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
      expect(await stores.customers.resolveSubjects(tenant, ['u1', 'u2', 'acme', 'u3'])).toEqual(
        new Map([
          ['u1', 'acme'],
          ['u2', 'acme'],
        ]),
      )
      expect(await putCustomer('acme', { ...acme, subjects: ['u3'] })).toMatchObject({ result: 'changed' })
      expect(await stores.customers.resolveSubjects(tenant, ['u1', 'u3'])).toEqual(new Map([['u3', 'acme']]))
      expect(await stores.customers.resolveSubjects('other' as TenantKey, ['u3'])).toEqual(new Map())
    })

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
