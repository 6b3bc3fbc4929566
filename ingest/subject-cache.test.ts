import { describe, expect, test } from 'vitest'
import type { CustomerKey, TenantKey } from '../domain/identity.ts'
import { createSubjectCache } from './subject-cache.ts'

const TENANT = 'default' as TenantKey
const ACME = 'acme' as CustomerKey
const GLOBEX = 'globex' as CustomerKey

function createCatalog() {
  const seats = new Map<string, CustomerKey>([['seat', ACME]])
  const asked: string[][] = []
  return {
    seats,
    asked,
    resolveSubjects: async (_tenant: TenantKey, subjects: readonly string[]) => {
      asked.push([...subjects])
      return new Map(subjects.flatMap((subject) => [...seats].filter(([seat]) => seat === subject)))
    },
  }
}

describe('subject cache', () => {
  test('asks once for an unknown subject, even for one that nobody has', async () => {
    const catalog = createCatalog()
    const cache = createSubjectCache({ ...catalog, entriesMax: 100 })
    const subjects = new Set(['seat', 'nobody'])
    expect(await cache.load(TENANT, subjects)).toEqual(
      new Map([
        ['seat', ACME],
        ['nobody', null],
      ]),
    )
    expect(await cache.load(TENANT, subjects)).toEqual(
      new Map([
        ['seat', ACME],
        ['nobody', null],
      ]),
    )
    expect(catalog.asked).toEqual([['seat', 'nobody']])
  })

  test('keeps tenants apart', async () => {
    const catalog = createCatalog()
    const cache = createSubjectCache({ ...catalog, entriesMax: 100 })
    await cache.load(TENANT, new Set(['seat']))
    catalog.seats.set('seat', GLOBEX)
    expect((await cache.load('other' as TenantKey, new Set(['seat']))).get('seat')).toBe(GLOBEX)
    expect((await cache.load(TENANT, new Set(['seat']))).get('seat')).toBe(ACME)
  })

  test('does not remember an answer that was on its way when the customer changed', async () => {
    const catalog = createCatalog()
    const cache = createSubjectCache({ ...catalog, entriesMax: 100 })
    const early = cache.load(TENANT, new Set(['seat']))
    cache.invalidate(TENANT)
    catalog.seats.set('seat', GLOBEX)
    await early
    expect((await cache.load(TENANT, new Set(['seat']))).get('seat')).toBe(GLOBEX)
  })

  test('forgets every tenant when changes may have gone unheard', async () => {
    const catalog = createCatalog()
    const cache = createSubjectCache({ ...catalog, entriesMax: 100 })
    await cache.load(TENANT, new Set(['seat']))
    catalog.seats.set('seat', GLOBEX)
    cache.invalidateAll()
    expect((await cache.load(TENANT, new Set(['seat']))).get('seat')).toBe(GLOBEX)
  })

  test('answers in full even when it can remember only a few', async () => {
    const catalog = createCatalog()
    const cache = createSubjectCache({ ...catalog, entriesMax: 4 })
    const many = new Set(['seat', ...Array.from({ length: 50 }, (_, n) => `s${n}`)])
    const found = await cache.load(TENANT, many)
    expect([found.size, found.get('seat')]).toEqual([51, ACME])
    expect((await cache.load(TENANT, many)).size).toBe(51)
    expect(catalog.asked.length).toBe(2)
  })
})
