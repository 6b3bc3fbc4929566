import type { StoredEvent } from '../adapters/usage-store/usage-store.ts'
import type { TenantKey } from '../domain/identity.ts'
import type { UsageEvent } from '../domain/usage-event.ts'

/**
 * The exact table of events folded lately: a hash finds the place, the whole key decides. Open addressing with linear
 * probing in typed arrays, as a Map of text keys would cost a string per event.
 */
export type RecentEvents = {
  readonly size: number
  find(hash: number, tenant: TenantKey, event: EventIdentity): StoredEvent | undefined
  /** Takes the place of an event with the same key. */
  put(hash: number, event: StoredEvent): void
  hashes(): Float64Array
  events(): readonly StoredEvent[]
}

/** With the tenant, what tells an event from another. */
export type EventIdentity = Pick<UsageEvent, 'customer' | 'source' | 'id'>

export function createRecentEvents(): RecentEvents {
  const events: StoredEvent[] = []
  let hashes = new Float64Array(SLOTS_MIN / 2)
  let slots = new Int32Array(SLOTS_MIN)
  let mask = SLOTS_MIN - 1
  /** Where an event that was looked for and not found belongs: it is mostly put in next. */
  let missedHash = Number.NaN
  let missedSlot = 0

  /** The slot that holds this key, or the free one where it belongs. Slots hold index + 1; 0 is free. */
  function slotOf(hash: number, tenant: TenantKey, wanted: EventIdentity): number {
    let slot = (hash | 0) & mask
    for (let held = slots[slot] ?? 0; held !== 0; held = slots[slot] ?? 0) {
      const event = events[held - 1]
      if (hashes[held - 1] === hash && event !== undefined && event.tenant === tenant && isSame(event, wanted)) return slot
      slot = (slot + 1) & mask
    }
    return slot
  }

  function grow(): void {
    missedHash = Number.NaN
    const grown = new Float64Array(hashes.length * 2)
    grown.set(hashes)
    hashes = grown
    slots = new Int32Array(slots.length * 2)
    mask = slots.length - 1
    for (let index = 0; index < events.length; index++) {
      let slot = ((hashes[index] ?? 0) | 0) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = index + 1
    }
  }

  return {
    get size() {
      return events.length
    },
    find(hash, tenant, event) {
      const slot = slotOf(hash, tenant, event)
      const held = slots[slot] ?? 0
      if (held === 0) {
        missedHash = hash
        missedSlot = slot
      }
      return events[held - 1]
    },
    put(hash, event) {
      if (events.length >= hashes.length) grow()
      const slot = hash === missedHash ? missedSlot : slotOf(hash, event.tenant, event)
      missedHash = Number.NaN
      const held = slots[slot] ?? 0
      if (held !== 0) {
        events[held - 1] = event
        return
      }
      hashes[events.length] = hash
      events.push(event)
      slots[slot] = events.length
    },
    hashes: () => hashes.subarray(0, events.length),
    events: () => events,
  }
}

const SLOTS_MIN = 1024

function isSame(a: EventIdentity, b: EventIdentity): boolean {
  return a.id === b.id && a.customer === b.customer && a.source === b.source
}
