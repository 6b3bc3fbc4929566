import type { InstantMs } from '../../domain/identity.ts'
import { HASH_BITS } from '../../domain/metering/event-hash.ts'
import { DEDUPE_HORIZON_MS } from '../../domain/metering/usage-event.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import {
  createPackedHashesEncoder,
  encodePackedHashes,
  KEY_BITS,
  mergePackedHashes,
  type PackedHashes,
  type PackedHashesMerge,
} from './packed-hashes.ts'

/**
 * Says of an event hash "certainly not remembered" or "maybe". Remembers hashes by week of receipt, so that an old week is
 * dropped as a whole: in a few sorted runs, which merge bit by bit as hashes are added, and into one run in the end. It never
 * says "certainly not" of a hash that it may have forgotten: for receipts from before `oldestMs` every answer is a maybe.
 *
 * Memory: at most 2 bytes per hash, beyond 640 KiB per week and 512 KiB for each week that is being added to. A false maybe has
 * the probability (hashes remembered) / 2^36.
 */
export type DedupeFilter = {
  /** Places of the hashes that may be remembered, ascending, with a receipt at or after `receivedFromMs`. */
  maybes(hashes: Float64Array, receivedFromMs: number): readonly number[]
  add(hash: number, receivedAtMs: number): void
  /** Adds many hashes of one week at once, received at any instant of it. Remembered at the end. */
  addRun(receivedAtMs: number, hashesMax: number): RunOfHashes
  /** Merges about `keysMax` keys; true when nothing is left to merge. */
  tidy(keysMax: number): boolean
  /** Forgets weeks that no event received from now on can repeat. */
  advance(receivedAtMs: number): void
  /** Forgets the oldest week to save memory; false when only the newest is left. Every forgotten hash becomes a maybe. */
  forgetOldest(): boolean
  /** Receipts from here on are remembered. */
  oldestMs(): number
  bytes(): number
  size(): number
}

export type RunOfHashes = {
  /** Ascending, also from push to push. */
  push(hashes: Float64Array): void
  end(): void
}

export function createDedupeFilter(floorMs: InstantMs): DedupeFilter {
  let rememberedFromMs: number = floorMs
  /** Ascending by end; at most 7 are live at a time. */
  let weeks: Week[] = []
  let merges: readonly Merging[] = []
  let addedSinceTidy = 0

  function weekOf(receivedAtMs: number): Week {
    const number = Math.floor(receivedAtMs / WEEK_MS)
    const newest = weeks.at(-1)
    if (newest?.number === number) return newest
    let week = weeks.find((candidate) => candidate.number === number)
    if (week === undefined) {
      week = { number, endMs: (number + 1) * WEEK_MS, isOpen: true, fresh: null, runs: [] }
      weeks = [...weeks, week].sort((a, b) => a.number - b.number)
    }
    return week
  }

  function forget(week: Week): void {
    rememberedFromMs = Math.max(rememberedFromMs, week.endMs)
    weeks = weeks.filter((other) => other !== week)
    merges = merges.filter((merging) => merging.week !== week)
  }

  function tidy(keysMax: number): boolean {
    addedSinceTidy = 0
    for (let left = keysMax; left > 0; ) {
      const merging = smallestMerging()
      if (merging === null) return true
      left -= merging.merge.step(left)
      const merged = merging.merge.merged()
      if (merged === null) continue
      const { week, runs } = merging
      week.runs = [...week.runs.filter((run) => !runs.includes(run)), merged]
      merges = merges.filter((other) => other !== merging)
    }
    return false
  }

  /** Continues or begins a merge. A smaller merge goes before one under way, as small runs would pile up behind it. */
  function smallestMerging(): Merging | null {
    const [smallest] = merges.toSorted((a, b) => a.keys - b.keys)
    const merged = new Set(merges.flatMap(({ runs }) => runs))
    const [due] = weeks.flatMap((week) => duePair(week, merged) ?? []).sort((a, b) => a.keys - b.keys)
    if (due === undefined || (smallest !== undefined && smallest.keys <= due.keys)) return smallest ?? null
    const begun = { ...due, merge: mergePackedHashes(...due.runs) }
    merges = [...merges, begun]
    return begun
  }

  return {
    maybes(hashes, receivedFromMs) {
      if (receivedFromMs < rememberedFromMs) return Array.from(hashes.keys())
      const keys = new Float64Array(hashes.length)
      for (let index = 0; index < hashes.length; index++) keys[index] = keyOf(hashes[index] ?? 0)
      const held = new Uint8Array(keys.length)
      for (let index = weeks.length - 1; index >= 0; index--) {
        const week = weeks[index]
        if (week !== undefined && week.endMs > receivedFromMs) findInWeek(week, keys, held)
      }
      return placesOf(held)
    },
    add(hash, receivedAtMs) {
      if (receivedAtMs < rememberedFromMs) return
      const week = weekOf(receivedAtMs)
      week.isOpen = true
      week.fresh ??= createFreshKeys()
      week.fresh.add(keyOf(hash))
      if (week.fresh.size() >= FRESH_KEYS_MAX) packWeek(week)
      if (++addedSinceTidy === TIDY_EVERY_KEYS) tidy(TIDY_EVERY_KEYS * TIDIED_PER_KEY)
    },
    addRun(receivedAtMs, hashesMax) {
      const encoder = createPackedHashesEncoder(hashesMax)
      let last = -1
      return {
        push(hashes) {
          const keys = new Float64Array(hashes.length)
          let count = 0
          for (const hash of hashes) {
            const key = keyOf(hash)
            if (key !== last) keys[count++] = key
            last = key
          }
          encoder.push(keys, count)
        },
        end: () => {
          if (receivedAtMs >= rememberedFromMs) addToWeek(weekOf(receivedAtMs), encoder.finish())
        },
      }
    },
    tidy,
    advance(receivedAtMs) {
      for (const week of weeks) {
        if (week.endMs <= receivedAtMs - DEDUPE_HORIZON_MS - RECEIPT_SKEW_MS) forget(week)
        else if (week.endMs <= receivedAtMs - RECEIPT_SKEW_MS) closeWeek(week)
      }
    },
    forgetOldest() {
      const [oldest] = weeks
      if (oldest === undefined || weeks.length === 1) return false
      forget(oldest)
      return true
    },
    oldestMs: () => rememberedFromMs,
    bytes: () => weeks.reduce((sum, week) => sum + bytesOf(week), 0),
    size: () => weeks.reduce((sum, week) => sum + sizeOf(week), 0),
  }
}

/** Several gateways stamp receipts: how far their clocks may differ before a repeat costs a query for every event. */
export const RECEIPT_SKEW_MS = 86_400_000
const FRESH_KEYS_MAX = 2 ** 15
/** Runs that differ in size by less than this merge, so a key is rewritten each time its run doubles. */
const RUN_GROWTH = 1.5
/** Keys merged per key added: a week of 2^15 x 2^12 keys doubles 12 times, and is rewritten some two times more once it is over. */
const TIDIED_PER_KEY = 16
/** Merging some 16,000 keys at a time takes about a millisecond. */
const TIDY_EVERY_KEYS = 1024
export const WEEK_MS = 7 * DAY_MS

type Week = {
  readonly number: number
  readonly endMs: number
  /** False once no more hashes are expected. */
  isOpen: boolean
  fresh: FreshKeys | null
  runs: readonly PackedHashes[]
}

/** The high bits, as the low ones place the event in the exact table of recent events. */
function keyOf(hash: number): number {
  return Math.floor(hash / 2 ** (HASH_BITS - KEY_BITS))
}

function findInWeek({ fresh, runs }: Week, keys: Float64Array, held: Uint8Array): void {
  fresh?.find(keys, held)
  for (const run of runs) run.find(keys, held)
}

function placesOf(held: Uint8Array): readonly number[] {
  const places: number[] = []
  for (let at = held.indexOf(1); at >= 0; at = held.indexOf(1, at + 1)) places.push(at)
  return places
}

function addToWeek(week: Week, run: PackedHashes): void {
  week.runs = [...week.runs, run]
}

function packWeek(week: Week): void {
  if (week.fresh === null) return
  addToWeek(week, encodePackedHashes(week.fresh.sorted()))
  week.fresh = null
}

function closeWeek(week: Week): void {
  packWeek(week)
  week.isOpen = false
}

/** Both runs answer until the merged one replaces them. */
type DuePair = { readonly week: Week; readonly runs: readonly [PackedHashes, PackedHashes]; readonly keys: number }
type Merging = DuePair & { readonly merge: PackedHashesMerge }

/** The two smallest runs of about the same size; in a closed week, which ends as one run, of any size. */
function duePair(week: Week, merged: ReadonlySet<PackedHashes>): DuePair | null {
  const idle = week.runs.filter((run) => !merged.has(run)).sort((a, b) => a.size - b.size)
  for (const [at, larger] of idle.entries()) {
    const smaller = idle[at - 1]
    if (smaller === undefined || (week.isOpen && larger.size > smaller.size * RUN_GROWTH)) continue
    return { week, runs: [smaller, larger], keys: smaller.size + larger.size }
  }
  return null
}

function bytesOf({ fresh, runs }: Week): number {
  return runs.reduce((bytes, run) => bytes + run.bytes, fresh === null ? 0 : FRESH_SLOTS * 8)
}

function sizeOf({ fresh, runs }: Week): number {
  return runs.reduce((size, run) => size + run.size, fresh?.size() ?? 0)
}

/** Keys added since the last packing: open addressing, at most half full. */
type FreshKeys = { add(key: number): void; find(keys: Float64Array, held: Uint8Array): void; size(): number; sorted(): Float64Array }

const FRESH_SLOTS = FRESH_KEYS_MAX * 2

function createFreshKeys(): FreshKeys {
  /** A slot holds key + 1; 0 is free. */
  const slots = new Float64Array(FRESH_SLOTS)
  let size = 0
  const slotOf = (key: number) => {
    let slot = key & (FRESH_SLOTS - 1)
    for (let held = slots[slot] ?? 0; held !== 0 && held !== key + 1; held = slots[slot] ?? 0) slot = (slot + 1) & (FRESH_SLOTS - 1)
    return slot
  }
  return {
    add(key) {
      const slot = slotOf(key)
      if (slots[slot] === 0) size++
      slots[slot] = key + 1
    },
    find(keys, held) {
      for (let index = 0; index < keys.length; index++) if (slots[slotOf(keys[index] ?? 0)] !== 0) held[index] = 1
    },
    size: () => size,
    sorted() {
      const keys = new Float64Array(size)
      let count = 0
      for (let slot = 0; slot < FRESH_SLOTS; slot++) {
        const held = slots[slot] ?? 0
        if (held !== 0) keys[count++] = held - 1
      }
      return keys.sort()
    },
  }
}
