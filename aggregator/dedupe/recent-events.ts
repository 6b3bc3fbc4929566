import type { StoredEvent } from '../../adapters/usage-store/usage-store.ts'
import type { InstantMs, Offset, TenantKey } from '../../domain/identity.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'

/**
 * The exact table of events folded lately: a hash finds the place, the whole key decides. Open addressing with linear probing in
 * typed arrays, as a Map of text keys would cost a string per event. It keeps only what is asked for.
 */
export type RecentEvents = {
  readonly size: number
  /** When the event with this key was received; undefined when there is none. */
  find(hash: number, tenant: TenantKey, event: EventIdentity): InstantMs | undefined
  /** Replaces an event with the same key. */
  put(hash: number, event: RecentEvent): void
  hashes(): Float64Array
  /** In the order of the hashes. */
  receivedAtMs(): Float64Array
  /** Offset of the event added last; null when there is none. */
  lastOffset(): Offset | null
}

export type RecentEvent = Pick<StoredEvent, 'tenant' | 'customer' | 'source' | 'id' | 'receivedAtMs' | 'offset'>

/** Identifies an event, together with the tenant. */
export type EventIdentity = Pick<UsageEvent, 'customer' | 'source' | 'id'>

export function createRecentEvents(): RecentEvents {
  const tenants: TenantKey[] = []
  const customers: string[] = []
  const sources: string[] = []
  const ids: string[] = []
  let received = new Float64Array(SLOTS_MIN / 2)
  let lastOffset: Offset | null = null
  let hashes = new Float64Array(SLOTS_MIN / 2)
  let slots = new Int32Array(SLOTS_MIN)
  let mask = SLOTS_MIN - 1
  /** Where an event that was looked for and not found belongs, as it is mostly added next. */
  let missedHash = Number.NaN
  let missedSlot = 0

  /** The slot that holds this key, or the free one where it belongs. Slots hold index + 1; 0 is free. */
  function slotOf(hash: number, tenant: TenantKey, wanted: EventIdentity): number {
    let slot = (hash | 0) & mask
    for (let held = slots[slot] ?? 0; held !== 0; held = slots[slot] ?? 0) {
      if (hashes[held - 1] === hash && isAt(held - 1, tenant, wanted)) return slot
      slot = (slot + 1) & mask
    }
    return slot
  }

  function isAt(index: number, tenant: TenantKey, { id, customer, source }: EventIdentity): boolean {
    return ids[index] === id && customers[index] === customer && sources[index] === source && tenants[index] === tenant
  }

  function grow(): void {
    missedHash = Number.NaN
    hashes = doubled(hashes)
    received = doubled(received)
    slots = new Int32Array(slots.length * 2)
    mask = slots.length - 1
    for (let index = 0; index < ids.length; index++) {
      let slot = ((hashes[index] ?? 0) | 0) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = index + 1
    }
  }

  return {
    get size() {
      return ids.length
    },
    find(hash, tenant, event) {
      const slot = slotOf(hash, tenant, event)
      const held = slots[slot] ?? 0
      if (held === 0) {
        missedHash = hash
        missedSlot = slot
      }
      return held === 0 ? undefined : (received[held - 1] as InstantMs)
    },
    put(hash, event) {
      if (ids.length >= hashes.length) grow()
      const slot = hash === missedHash ? missedSlot : slotOf(hash, event.tenant, event)
      missedHash = Number.NaN
      const held = slots[slot] ?? 0
      lastOffset = event.offset
      if (held !== 0) {
        received[held - 1] = event.receivedAtMs
        return
      }
      const index = ids.length
      hashes[index] = hash
      received[index] = event.receivedAtMs
      tenants.push(event.tenant)
      customers.push(event.customer)
      // In most cases the same as that of the event before: then that very text, which is in memory already.
      sources.push(event.source === sources[index - 1] ? (sources[index - 1] ?? event.source) : event.source)
      ids.push(event.id)
      slots[slot] = index + 1
    },
    hashes: () => hashes.subarray(0, ids.length),
    receivedAtMs: () => received.subarray(0, ids.length),
    lastOffset: () => lastOffset,
  }
}

const SLOTS_MIN = 1024

function doubled(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(values.length * 2)
  grown.set(values)
  return grown
}
