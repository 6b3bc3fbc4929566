import type { InstantMs } from '../domain/identity.ts'
import { DEDUPE_HORIZON_MS } from '../domain/usage-event.ts'
import { HASH_BITS } from './event-hash.ts'
import { encodeKeyRun, KEY_BITS, type KeyRun, mergeKeyRuns } from './key-run.ts'

/**
 * Says of an event hash "certainly not among the remembered" or "maybe". Remembers hashes by week of receipt, each week
 * as a few sorted runs that merge as they grow, so that an old week is dropped whole. It never says "certainly not" of
 * something it may have forgotten: for receipts from before `floorMs` everything is a maybe.
 *
 * Memory: at most 2 bytes per hash beyond 256 KiB per week. A false maybe: hashes remembered / 2^34.
 */
export type DedupeFilter = {
  /** Could one with this hash have been received at or after `receivedFromMs`? */
  mayHold(hash: number, receivedFromMs: number): boolean
  /** In batches of thousands: each makes a run per week. */
  add(hashes: readonly number[] | Float64Array, receivedAtMs: readonly number[] | Float64Array): void
  /** Forgets weeks that no event received from now on can reach. */
  advance(receivedAtMs: number): void
  /** Forgets the oldest week to save memory; false when only the newest is left. What it held becomes a maybe. */
  forgetOldest(): boolean
  bytes(): number
  size(): number
  oldestMs(): number
}

export function createDedupeFilter(floorMs: InstantMs): DedupeFilter {
  let rememberedFromMs: number = floorMs
  /** Ascending by week; at most 7 are live at a time. */
  let weeks: Week[] = []

  function weekOf(number: number): Week {
    let week = weeks.find((candidate) => candidate.number === number)
    if (week === undefined) {
      week = { number, endMs: (number + 1) * WEEK_MS, runs: [] }
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
      for (const week of weeks) {
        if (week.endMs <= receivedFromMs) continue
        for (const run of week.runs) if (run.has(key)) return true
      }
      return false
    },
    add(hashes, receivedAtMs) {
      const byWeek = new Map<number, number[]>()
      for (let index = 0; index < hashes.length; index++) {
        const atMs = receivedAtMs[index] ?? 0
        if (atMs < rememberedFromMs) continue
        const number = Math.floor(atMs / WEEK_MS)
        const keys = byWeek.get(number)
        if (keys === undefined) byWeek.set(number, [keyOf(hashes[index] ?? 0)])
        else keys.push(keyOf(hashes[index] ?? 0))
      }
      for (const [number, keys] of byWeek) addRun(weekOf(number), runOf(keys))
    },
    advance(receivedAtMs) {
      for (const week of weeks) if (week.endMs <= receivedAtMs - DEDUPE_HORIZON_MS - RECEIPT_SKEW_MS) forget(week)
    },
    forgetOldest() {
      const [oldest] = weeks
      if (oldest === undefined || weeks.length === 1) return false
      forget(oldest)
      return true
    },
    bytes: () => weeks.reduce((sum, week) => sum + week.runs.reduce((bytes, run) => bytes + run.bytes, 0), 0),
    size: () => weeks.reduce((sum, week) => sum + week.runs.reduce((size, run) => size + run.size, 0), 0),
    oldestMs: () => weeks[0]?.endMs ?? Number.POSITIVE_INFINITY,
  }
}

/** Receipts are stamped by several gateways: how far their clocks may differ before a repeat costs a query for every event. */
export const RECEIPT_SKEW_MS = 86_400_000
/** Beyond this a run merges no more: a merge of 8 million keys holds the process up for about 0.2 s. */
export const RUN_KEYS_MAX = 2 ** 23

const WEEK_MS = 7 * 86_400_000

type Week = { readonly number: number; readonly endMs: number; readonly runs: KeyRun[] }

/** The high bits: the low ones place the event in the exact table of recent events. */
function keyOf(hash: number): number {
  return Math.floor(hash / 2 ** (HASH_BITS - KEY_BITS))
}

function runOf(keys: number[]): KeyRun {
  const sorted = Float64Array.from(keys).sort()
  let index = 0
  return encodeKeyRun(() => {
    while (index > 0 && index < sorted.length && sorted[index] === sorted[index - 1]) index++
    return sorted[index++] ?? -1
  }, sorted.length)
}

/** Sizes at least double from run to run, so that a key is rewritten log2(N) times and a look-up asks log2(N) runs at most. */
function addRun(week: Week, run: KeyRun): void {
  let newest = run
  for (let last = week.runs.at(-1); last !== undefined && last.size < newest.size * 2; last = week.runs.at(-1)) {
    if (last.size + newest.size > RUN_KEYS_MAX) break
    week.runs.pop()
    newest = mergeKeyRuns(last, newest)
  }
  week.runs.push(newest)
}
