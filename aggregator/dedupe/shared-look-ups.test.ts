import { expect, test } from 'vitest'
import type { EventKey, EventPosition, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { shareLookUps } from './shared-look-ups.ts'

const MONDAY = 1_000_000 as InstantMs
const TUESDAY = 2_000_000 as InstantMs

const keyOf = (id: string): EventKey => ({ tenant: 't' as TenantKey, customer: 'acme' as CustomerKey, source: 's', id })

/** A store that holds every event whose id begins with `known`. */
function storeOfKnown() {
  const asked: { readonly ids: readonly string[]; readonly receivedFromMs: InstantMs }[] = []
  const findEvents: UsageStore['findEvents'] = async (keys, receivedFromMs) => {
    asked.push({ ids: keys.map(({ id }) => id), receivedFromMs })
    const known = keys.filter(({ id }) => id.startsWith('known'))
    return new Map(known.map((key, index) => [key, positionAt(index)]))
  }
  const store = shareLookUps({ findEvents } as UsageStore, { ...systemClock, now: () => 0 as InstantMs })
  return { asked, store }
}

function positionAt(offset: number): EventPosition & { readonly receivedAtMs: InstantMs } {
  return { partition: 0 as Partition, offset: offset as Offset, index: 0, receivedAtMs: MONDAY }
}

test('look-ups of the same moment and bound are one query, and each finds its own', async () => {
  const { asked, store } = storeOfKnown()
  const [first, second, third] = [[keyOf('known-1'), keyOf('new-1')], [keyOf('new-2')], [keyOf('known-2')]]
  const found = await Promise.all([first, second, third].map((keys) => store.findEvents(keys ?? [], MONDAY)))
  expect(asked).toEqual([{ ids: ['known-1', 'new-1', 'new-2', 'known-2'], receivedFromMs: MONDAY }])
  expect([first, second, third].map((keys, at) => keys?.map((key) => found[at]?.has(key)))).toEqual([[true, false], [false], [true]])
})

test('one that asks from another instant on has a query of its own, as an earlier bound could hide what it looks for', async () => {
  const { asked, store } = storeOfKnown()
  await Promise.all([store.findEvents([keyOf('a')], MONDAY), store.findEvents([keyOf('b')], TUESDAY)])
  expect(asked).toEqual([
    { ids: ['a'], receivedFromMs: MONDAY },
    { ids: ['b'], receivedFromMs: TUESDAY },
  ])
})
