import { describe, expect, test } from 'vitest'
import { Fault } from '../base/fault.ts'
import type { NameAssignment } from '../domain/catalog/customer-name.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../domain/identity.ts'
import { createCustomerNames } from './customer-names.ts'

const TENANT = 'default' as TenantKey
const always = (customer: string) => [{ customer: customer as CustomerKey, fromMs: 0 as InstantMs, untilMs: null }]
const ACME = always('acme')
const GLOBEX = always('globex')

function createCatalog() {
  const seats = new Map<string, readonly NameAssignment[]>([['seat', ACME]])
  const asked: string[][] = []
  return {
    seats,
    asked,
    nameHistories: async (_tenant: TenantKey, subjects: readonly string[]) => {
      asked.push([...subjects])
      return new Map(subjects.flatMap((subject) => [...seats].filter(([seat]) => seat === subject)))
    },
  }
}

describe('customer names', () => {
  test('asks once for what it does not know, also for what nobody has', async () => {
    const catalog = createCatalog()
    const cache = createCustomerNames({ ...catalog, entriesMax: 100 })
    const subjects = new Set(['seat', 'nobody'])
    for (const _time of [1, 2]) expect(await cache.load(TENANT, subjects)).toEqual(new Map([['seat', ACME]]))
    expect(catalog.asked).toEqual([['seat', 'nobody']])
  })

  test('keeps tenants apart', async () => {
    const catalog = createCatalog()
    const cache = createCustomerNames({ ...catalog, entriesMax: 100 })
    await cache.load(TENANT, new Set(['seat']))
    catalog.seats.set('seat', GLOBEX)
    expect((await cache.load('other' as TenantKey, new Set(['seat']))).get('seat')).toBe(GLOBEX)
    expect((await cache.load(TENANT, new Set(['seat']))).get('seat')).toBe(ACME)
  })

  test('does not remember an answer that was on its way when the customer changed', async () => {
    const catalog = createCatalog()
    const cache = createCustomerNames({ ...catalog, entriesMax: 100 })
    const early = cache.load(TENANT, new Set(['seat']))
    cache.invalidate(TENANT)
    catalog.seats.set('seat', GLOBEX)
    await early
    expect((await cache.load(TENANT, new Set(['seat']))).get('seat')).toBe(GLOBEX)
  })

  test('forgets every tenant when changes may have gone unheard', async () => {
    const catalog = createCatalog()
    const cache = createCustomerNames({ ...catalog, entriesMax: 100 })
    await cache.load(TENANT, new Set(['seat']))
    catalog.seats.set('seat', GLOBEX)
    cache.invalidateAll()
    expect((await cache.load(TENANT, new Set(['seat']))).get('seat')).toBe(GLOBEX)
  })

  test('goes by what it knew while the catalog is away, and says so of what it never knew', async () => {
    const catalog = createCatalog()
    let isAway = false
    const nameHistories = async (tenant: TenantKey, names: readonly string[]) => {
      if (isAway) throw new Fault('database_unavailable', 'gone', { canRetry: true, publicText: 'gone' })
      return catalog.nameHistories(tenant, names)
    }
    const names = createCustomerNames({ nameHistories, entriesMax: 100 })
    const now = 1 as InstantMs
    expect(await names.resolve(TENANT, 'seat', now)).toBe('acme')
    isAway = true
    names.invalidateAll()
    expect(await names.resolve(TENANT, 'seat', now)).toBe('acme')
    await expect(names.resolve(TENANT, 'new', now)).rejects.toThrow('gone')
    isAway = false
    catalog.seats.set('seat', GLOBEX)
    expect(await names.resolve(TENANT, 'seat', now)).toBe('globex')
    expect(names.resolve(TENANT, 'seat', now)).toBe('globex')
  })

  test('answers in full even when it can remember only a few', async () => {
    const catalog = createCatalog()
    const cache = createCustomerNames({ ...catalog, entriesMax: 4 })
    const many = new Set(['seat', ...Array.from({ length: 50 }, (_, n) => `s${n}`)])
    const found = await cache.load(TENANT, many)
    expect(found).toEqual(new Map([['seat', ACME]]))
    expect(await cache.load(TENANT, many)).toEqual(found)
    expect(catalog.asked.length).toBe(2)
  })
})
