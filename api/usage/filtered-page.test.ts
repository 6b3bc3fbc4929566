import { expect, test } from 'vitest'
import type { EventQuery, StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { TenantKey } from '../../domain/identity.ts'
import { filteredPageOf } from './filtered-page.ts'

const TENANT = 'default' as TenantKey

/** Events `0` to `count - 1`, newest first, by their ids. */
function storeOf(count: number): Pick<UsageStore, 'events'> & { read(): number } {
  let read = 0
  return {
    read: () => read,
    async events({ after, limit }: EventQuery) {
      const from = after === undefined ? 0 : Number((after as StoredEvent).id) + 1
      const some = Array.from({ length: Math.min(limit, count - from) }, (_, nth) => ({
        id: String(from + nth),
        data: '{}',
        attributes: null,
      }))
      read += some.length
      return some as StoredEvent[]
    },
  }
}

test('a page of wanted events ends with the last one looked at, and the next goes on behind it', async () => {
  const store = storeOf(45_000)
  const isWanted = ({ id }: StoredEvent) => id === '44999'
  const pages = []
  for (let after: StoredEvent | null = null; ; ) {
    const page = await filteredPageOf(store, { tenant: TENANT, ...(after === null ? {} : { after }) }, 10, isWanted)
    pages.push([page.events.map(({ id }) => id), page.goesOnAfter?.id ?? null])
    if (page.goesOnAfter === null) break
    after = page.goesOnAfter
  }
  expect(pages).toEqual([
    [[], '19999'],
    [[], '39999'],
    [['44999'], null],
  ])
  expect(store.read()).toBe(45_000)
})

test('a page that is full goes on behind its last event', async () => {
  const page = await filteredPageOf(storeOf(5_000), { tenant: TENANT }, 2, ({ id }) => Number(id) % 1_000 === 999)
  expect([page.events.map(({ id }) => id), page.goesOnAfter?.id]).toEqual([['999', '1999'], '1999'])
})
