import { allot, clearTallies, createTallies, shrinkTallies, type Tallies, tallyBytes } from './tally.ts'

/**
 * Finds the numbers of a window by its key. Open addressing in typed arrays, with the numbers of one key in one place: the events
 * of many customers mostly miss the processor's cache, so each step counts.
 */
export type WindowTable = {
  readonly tallies: Tallies
  /** Places; 0 is free. */
  slots: Int32Array
  size: number
}

/** Every entry begins with its key. */
export const KEY_NUMBERS = 1
/** After them the fold's version and its mark of changes; the tallies of the meters follow. */
export const ENTRY_HEAD_NUMBERS = KEY_NUMBERS + 2

export function createWindowTable(): WindowTable {
  const tallies = createTallies()
  // Place 0 is never used, so that 0 can mark a free slot.
  allot(tallies, 1)
  return { tallies, slots: new Int32Array(SLOTS_MIN), size: 0 }
}

/**
 * The place of the entry with this key; a missing entry is created, with the given count of numbers, all 0 but the key. `high`
 * and `low` are the key's halves.
 */
export function placeOf(table: WindowTable, high: number, low: number, numbers: number): number {
  const known = findPlace(table, high, low)
  if (known !== 0) return known
  const place = allot(table.tallies, numbers)
  table.tallies.numbers[place] = keyOf(high, low)
  putInFreeSlot(table.slots, place, hashOf(high, low))
  if (++table.size * 2 > table.slots.length) grow(table)
  return place
}

/** 0 when there is none. */
export function findPlace({ slots, tallies }: WindowTable, high: number, low: number): number {
  const key = keyOf(high, low)
  const mask = slots.length - 1
  let slot = hashOf(high, low) & mask
  for (let place = slots[slot] ?? 0; place !== 0; place = slots[slot] ?? 0) {
    if (tallies.numbers[place] === key) return place
    slot = (slot + 1) & mask
  }
  return 0
}

/** All entries, in no order. */
export function* placesOf({ slots }: WindowTable): Iterable<number> {
  for (const place of slots) if (place !== 0) yield place
}

/** Bytes of its arrays, and of texts. */
export function tableBytes({ slots, tallies }: WindowTable): number {
  return slots.byteLength + tallyBytes(tallies)
}

export function highOf(key: number): number {
  return Math.floor(key / LOW_SPAN)
}

export function lowOf(key: number): number {
  return key % LOW_SPAN
}

export function clearTable(table: WindowTable): void {
  if (table.size === 0) return
  table.slots.fill(0)
  table.size = 0
  clearTallies(table.tallies)
  allot(table.tallies, 1)
}

/** Also gives its memory back. */
export function emptyTable(table: WindowTable): void {
  clearTable(table)
  table.slots = new Int32Array(SLOTS_MIN)
  shrinkTallies(table.tallies)
}

/** Both halves stay below this, so that a key is exact. */
export const KEY_HALF_MAX = 2 ** 26

const LOW_SPAN = KEY_HALF_MAX
const SLOTS_MIN = 1024

function keyOf(high: number, low: number): number {
  return high * LOW_SPAN + low
}

function hashOf(high: number, low: number): number {
  const mixed = Math.imul(high, 0x9e3779b1) ^ Math.imul(low, 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}

function putInFreeSlot(slots: Int32Array, place: number, hash: number): void {
  const mask = slots.length - 1
  let slot = hash & mask
  while (slots[slot] !== 0) slot = (slot + 1) & mask
  slots[slot] = place
}

function grow(table: WindowTable): void {
  const slots = new Int32Array(table.slots.length * 2)
  for (const place of placesOf(table)) {
    const key = table.tallies.numbers[place] ?? 0
    putInFreeSlot(slots, place, hashOf(highOf(key), lowOf(key)))
  }
  table.slots = slots
}
