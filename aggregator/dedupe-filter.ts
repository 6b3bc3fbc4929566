import type { InstantMs } from '../domain/identity.ts'
import { DEDUPE_HORIZON_MS } from '../domain/usage-event.ts'
import { HASH_BITS } from './event-hash.ts'
import { encodeKeyRun, KEY_BITS, type KeyRun, type KeyRunMerge, mergeKeyRuns } from './key-run.ts'

/**
 * Says of an event hash "certainly not among the remembered" or "maybe". Remembers hashes by week of receipt, so that an
 * old week is dropped whole: as a few sorted runs, which merge bit by bit as hashes are added, and to one run in the end.
 * It never says "certainly not" of
 * something it may have forgotten: where receipts from before `oldestMs` matter everything is a maybe.
 *
 * Memory: at most 2 bytes per hash, beyond 256 KiB per week and 512 KiB for each week that is being added to. A false
 * maybe has the probability (hashes remembered) / 2^34.
 */
export type DedupeFilter = {
  /** Could one with this hash have been received at or after `receivedFromMs`? */
  mayHold(hash: number, receivedFromMs: number): boolean
  add(hash: number, receivedAtMs: number): void
  /** Packs what was added; for when much was, and not much more comes. To be followed by `tidy` until it is done. */
  pack(): void
  /** Merges about so many keys; true when there is nothing more to merge. */
  tidy(keysMax: number): boolean
  /** Forgets weeks that no event received from now on can reach. */
  advance(receivedAtMs: number): void
  /** Forgets the oldest week to save memory; false when only the newest is left. What it held becomes a maybe. */
  forgetOldest(): boolean
  /** Receipts from here on are remembered. */
  oldestMs(): number
  bytes(): number
  size(): number
}

export function createDedupeFilter(floorMs: InstantMs): DedupeFilter {
  let rememberedFromMs: number = floorMs
  /** Ascending by end; at most 7 are live at a time. */
  let weeks: Week[] = []
  let merging: Merging | null = null
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
    if (merging?.week === week) merging = null
  }

  function tidy(keysMax: number): boolean {
    addedSinceTidy = 0
    merging ??= nextMerge(weeks)
    if (merging === null) return true
    const { week, at, merge } = merging
    const merged = merge.step(keysMax)
    if (merged !== null) {
      // Runs that were added meanwhile stand behind these two.
      week.runs.splice(at, 2, merged)
      merging = null
    }
    return false
  }

  return {
    mayHold(hash, receivedFromMs) {
      if (receivedFromMs < rememberedFromMs) return true
      const key = keyOf(hash)
      for (let index = weeks.length - 1; index >= 0; index--) {
        const week = weeks[index]
        if (week !== undefined && week.endMs > receivedFromMs && weekHas(week, key)) return true
      }
      return false
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
    pack() {
      for (const week of weeks) closeWeek(week)
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

/** Receipts are stamped by several gateways: how far their clocks may differ before a repeat costs a query for every event. */
export const RECEIPT_SKEW_MS = 86_400_000
const FRESH_KEYS_MAX = 2 ** 15
/** A run merges with a newer one that has become about as large, so a key is rewritten each time its run doubles. */
const RUN_GROWTH = 1.5
/** Merging per key added: a week of 2^15 x 2^12 keys doubles so many times. */
const TIDIED_PER_KEY = 12
/** Some 12,000 keys merged at a time take well under a millisecond. */
const TIDY_EVERY_KEYS = 1024
const WEEK_MS = 7 * 86_400_000

type Week = {
  readonly number: number
  readonly endMs: number
  /** Until nothing more is expected to be added. */
  isOpen: boolean
  fresh: FreshKeys | null
  readonly runs: KeyRun[]
}

/** The high bits: the low ones place the event in the exact table of recent events. */
function keyOf(hash: number): number {
  return Math.floor(hash / 2 ** (HASH_BITS - KEY_BITS))
}

function weekHas({ fresh, runs }: Week, key: number): boolean {
  if (fresh?.has(key)) return true
  for (let index = runs.length - 1; index >= 0; index--) if (runs[index]?.has(key)) return true
  return false
}

function packWeek(week: Week): void {
  if (week.fresh === null) return
  week.runs.push(encodeKeyRun(week.fresh.sorted()))
  week.fresh = null
}

function closeWeek(week: Week): void {
  packWeek(week)
  week.isOpen = false
}

/** Of the runs at `at` and behind it. Both answer until the merged one takes their place. */
type Merging = { readonly week: Week; readonly at: number; readonly merge: KeyRunMerge }

/** The newest week first, its newest runs first. A closed week ends as one run. */
function nextMerge(weeks: readonly Week[]): Merging | null {
  for (const week of weeks.toReversed()) {
    const growth = week.isOpen ? RUN_GROWTH : Number.POSITIVE_INFINITY
    for (let at = week.runs.length - 2; at >= 0; at--) {
      const [older, newer] = [week.runs[at], week.runs[at + 1]]
      if (older === undefined || newer === undefined || older.size >= newer.size * growth) continue
      return { week, at, merge: mergeKeyRuns(older, newer) }
    }
  }
  return null
}

function bytesOf({ fresh, runs }: Week): number {
  return runs.reduce((bytes, run) => bytes + run.bytes, fresh === null ? 0 : FRESH_SLOTS * 8)
}

function sizeOf({ fresh, runs }: Week): number {
  return runs.reduce((size, run) => size + run.size, fresh?.size() ?? 0)
}

/** What was added since the last packing: open addressing, at most half full. */
type FreshKeys = { add(key: number): void; has(key: number): boolean; size(): number; sorted(): Float64Array }

const FRESH_SLOTS = FRESH_KEYS_MAX * 2

function createFreshKeys(): FreshKeys {
  /** Key + 1; 0 is free. */
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
    has: (key) => slots[slotOf(key)] !== 0,
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
