import type { InstantMs } from '../domain/identity.ts'
import { DEDUPE_HORIZON_MS } from '../domain/usage-event.ts'
import { HASH_BITS } from './event-hash.ts'
import { encodeKeyRun, KEY_BITS, type KeyRun, mergeKeyRuns } from './key-run.ts'

/**
 * Says of an event hash "certainly not among the remembered" or "maybe". Remembers hashes by week of receipt, each week
 * as a few sorted runs that merge as they grow, so that an old week is dropped whole. It never says "certainly not" of
 * something it may have forgotten: where receipts from before `oldestMs` matter everything is a maybe.
 *
 * Memory: at most 2 bytes per hash, beyond 256 KiB per week and 512 KiB for each week that is being added to. A false
 * maybe has the probability (hashes remembered) / 2^34.
 */
export type DedupeFilter = {
  /** Could one with this hash have been received at or after `receivedFromMs`? */
  mayHold(hash: number, receivedFromMs: number): boolean
  add(hash: number, receivedAtMs: number): void
  /** Packs what was added; for when much was, and not much more comes. */
  pack(): void
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

  function weekOf(receivedAtMs: number): Week {
    const number = Math.floor(receivedAtMs / WEEK_MS)
    const newest = weeks.at(-1)
    if (newest?.number === number) return newest
    let week = weeks.find((candidate) => candidate.number === number)
    if (week === undefined) {
      week = { number, endMs: (number + 1) * WEEK_MS, fresh: null, runs: [] }
      weeks = [...weeks, week].sort((a, b) => a.number - b.number)
    }
    return week
  }

  function forget(week: Week): void {
    rememberedFromMs = Math.max(rememberedFromMs, week.endMs)
    weeks = weeks.filter((other) => other !== week)
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
      week.fresh ??= createFreshKeys()
      week.fresh.add(keyOf(hash))
      if (week.fresh.size() >= FRESH_KEYS_MAX) packWeek(week)
    },
    pack() {
      for (const week of weeks) packWeek(week)
    },
    advance(receivedAtMs) {
      for (const week of weeks) {
        if (week.endMs <= receivedAtMs - DEDUPE_HORIZON_MS - RECEIPT_SKEW_MS) forget(week)
        else if (week.endMs <= receivedAtMs - RECEIPT_SKEW_MS) packWeek(week)
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
/** Beyond this a run merges no more: merging 4 million keys holds the process up for about 0.1 s. */
const RUN_KEYS_MAX = 2 ** 22
/** Sizes grow by this from run to run: more runs cost each look-up, fewer cost more rewriting. */
const RUN_GROWTH = 3
const WEEK_MS = 7 * 86_400_000

type Week = { readonly number: number; readonly endMs: number; fresh: FreshKeys | null; readonly runs: KeyRun[] }

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
  let newest = encodeKeyRun(week.fresh.sorted())
  week.fresh = null
  for (let last = week.runs.at(-1); last !== undefined && last.size < newest.size * RUN_GROWTH; last = week.runs.at(-1)) {
    if (last.size + newest.size > RUN_KEYS_MAX) break
    week.runs.pop()
    newest = mergeKeyRuns(last, newest)
  }
  week.runs.push(newest)
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
