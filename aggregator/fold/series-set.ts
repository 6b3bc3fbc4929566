/** A set of 32-bit hashes in one array, 6 to 11 bytes each: there may be ten thousand for each of many customers. */
export type SeriesSet = {
  /** Open addressing; 0 is free. */
  slots: Uint32Array
  size: number
}

export function createSeriesSet(): SeriesSet {
  return { slots: NO_SLOTS, size: 0 }
}

export function hasSeries({ slots }: SeriesSet, hash: number): boolean {
  return slots.length > 0 && slots[slotOf(slots, keptHash(hash))] !== 0
}

/** Whether it is new. */
export function addSeries(set: SeriesSet, hash: number): boolean {
  if ((set.size + 1) * 4 > set.slots.length * 3) grow(set)
  const kept = keptHash(hash)
  const slot = slotOf(set.slots, kept)
  if (set.slots[slot] !== 0) return false
  set.slots[slot] = kept
  set.size++
  return true
}

/** As 0 marks a free slot. */
function keptHash(hash: number): number {
  return hash === 0 ? 1 : hash
}

/** Of the hash, or the free one where it belongs. */
function slotOf(slots: Uint32Array, hash: number): number {
  const mask = slots.length - 1
  let slot = hash & mask
  for (let there = slots[slot]; there !== 0 && there !== hash; there = slots[slot]) slot = (slot + 1) & mask
  return slot
}

function grow(set: SeriesSet): void {
  const slots = new Uint32Array(Math.max(SLOTS_MIN, set.slots.length * 2))
  for (const hash of set.slots) if (hash !== 0) slots[slotOf(slots, hash)] = hash
  set.slots = slots
}

const NO_SLOTS = new Uint32Array(0)
const SLOTS_MIN = 8
