import { invariant } from '../../base/invariant.ts'
import { DAY_MS, MINUTE_MS } from './durations.ts'

/**
 * A zone of the IANA database as the process knows it: the one source of zone data. The usage store gets instants and never a
 * zone's name, so that its own, older or newer, data change nothing.
 */
export type TimeZone = {
  /** The name in the process's spelling. */
  readonly name: string
  /** A stretch of time around the instant in which the clocks do not jump; the next may have the same offset. */
  spanAt(atMs: number): OffsetSpan
}

/** Half-open, on whole minutes. Local time = UTC + offset; the offset is a whole minute too, to which the few finer ones before 1972 are rounded. */
export type OffsetSpan = { readonly startMs: number; readonly endMs: number; readonly offsetMs: number }

/** Null for anything but a name of the IANA database: offsets (`+02:00`) and names that only this process's library knows. */
export function findTimeZone(name: string): TimeZone | null {
  const known = zonesBySpelling.get(name)
  if (known !== undefined) return known
  const canonical = canonicalName(name)
  if (canonical === null) return null
  const zone = zonesBySpelling.get(canonical) ?? createTimeZone(canonical)
  // Names ignore case, so the number of spellings has no bound of its own.
  if (zonesBySpelling.size >= SPELLINGS_MAX) zonesBySpelling.clear()
  zonesBySpelling.set(canonical, zone).set(name, zone)
  return zone
}

const zonesBySpelling = new Map<string, TimeZone>()
/** Three times the number of names. */
const SPELLINGS_MAX = 2_000

/** The zone of a stored name, which was known when it was stored. */
export function timeZone(name: string): TimeZone {
  const zone = findTimeZone(name)
  invariant(zone !== null, `a timezone is an IANA name, and '${name}' is none`)
  return zone
}

const PLACES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('timeZone'))
/** Names of three letters that IANA has; the library knows others, which mean different places to different people. */
const SHORT_NAMES: ReadonlySet<string> = new Set('CET EET EST GMT HST MET MST PRC ROC ROK UCT UTC WET'.split(' '))

function canonicalName(name: string): string | null {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{2,63}$/.test(name)) return null
  if (name.length === 3 && !SHORT_NAMES.has(name.toUpperCase())) return null
  try {
    const canonical = new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone
    return PLACES.has(canonical) || canonical === 'UTC' || canonical.startsWith('Etc/GMT') ? canonical : null
  } catch {
    return null
  }
}

/** Jumps are searched block by block, when first needed: a third of a millisecond each. */
const BLOCK_MS = 52 * 7 * DAY_MS
/** No clocks have jumped and back within a week since 1970; `time-zone.test.ts` checks it. */
const SAMPLE_MS = 7 * DAY_MS
/** More blocks than the years from 1970 to 2106 have. */
const BLOCKS_MAX = 200

function createTimeZone(name: string): TimeZone {
  if (name === 'UTC') return { name, spanAt: () => FOR_EVER }
  const offsetAt = offsetReader(name)
  const blocks = new Map<number, readonly OffsetSpan[]>()
  let last = FOR_EVER
  let hasLast = false

  function spansOf(block: number): readonly OffsetSpan[] {
    const known = blocks.get(block)
    if (known !== undefined) return known
    if (blocks.size >= BLOCKS_MAX) blocks.clear()
    const spans = spansBetween(offsetAt, block * BLOCK_MS, (block + 1) * BLOCK_MS)
    blocks.set(block, spans)
    return spans
  }

  return {
    name,
    spanAt(atMs) {
      if (hasLast && atMs >= last.startMs && atMs < last.endMs) return last
      const span = spansOf(Math.floor(atMs / BLOCK_MS)).find(({ endMs }) => atMs < endMs)
      invariant(span !== undefined, 'spans fill their block')
      last = span
      hasLast = true
      return span
    },
  }
}

const FOR_EVER: OffsetSpan = { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY, offsetMs: 0 }

function spansBetween(offsetAt: (atMs: number) => number, fromMs: number, toMs: number): readonly OffsetSpan[] {
  const spans: OffsetSpan[] = []
  let startMs = fromMs
  let offsetMs = offsetAt(fromMs)
  for (let atMs = fromMs; atMs < toMs; atMs += SAMPLE_MS) {
    const lastMs = Math.min(atMs + SAMPLE_MS, toMs - MINUTE_MS)
    // Two jumps may lie in one week, so the search goes on until its end has the offset that was found.
    while (offsetAt(lastMs) !== offsetMs) {
      const jumpMs = firstOtherMinute(offsetAt, Math.max(startMs, atMs), lastMs, offsetMs)
      spans.push({ startMs, endMs: jumpMs, offsetMs })
      startMs = jumpMs
      offsetMs = offsetAt(jumpMs)
    }
  }
  spans.push({ startMs, endMs: toMs, offsetMs })
  return spans
}

/** By bisection; the first minute has the offset and the last one has another. */
function firstOtherMinute(offsetAt: (atMs: number) => number, firstMs: number, lastMs: number, offsetMs: number): number {
  let sameMs = firstMs
  let otherMs = lastMs
  while (otherMs - sameMs > MINUTE_MS) {
    const middleMs = Math.floor((sameMs + otherMs) / 2 / MINUTE_MS) * MINUTE_MS
    if (offsetAt(middleMs) === offsetMs) sameMs = middleMs
    else otherMs = middleMs
  }
  return otherMs
}

function offsetReader(name: string): (atMs: number) => number {
  // With the hour included, formatting takes a third of the time that it takes with the date.
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, hour: 'numeric', timeZoneName: 'longOffset' })
  return (atMs) => {
    const parts = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format.format(atMs))
    invariant(parts !== null, `the process tells the offset of ${name}`)
    const [, sign, hours = '0', minutes = '0', seconds = '0'] = parts
    const offset = Number(hours) * 60 + Number(minutes) + Math.round(Number(seconds) / 60)
    return (sign === '-' ? -offset : offset) * MINUTE_MS
  }
}
