import { createBoundedMap } from '../../base/bounds/bounded-map.ts'
import type { Clock } from '../../base/clock.ts'
import { type Refusal, refuse } from '../../domain/refusal.ts'
import { HOUR_MS, MINUTE_MS } from '../../domain/time/durations.ts'
import { COMMERCE_BOUNDS } from '../commerce-bounds.ts'

/** Counts wrong license keys by the address that they come from. Right keys are never held up: an office is one address. */
export type WrongLicenseKeys = {
  /** Counts one; what the caller is answered where there were too many. */
  count(address: string): Refusal | null
}

type Window = { readonly startMs: number; wrong: number }

export function createWrongLicenseKeys(clock: Pick<Clock, 'now'>): WrongLicenseKeys {
  const windows = [
    { ms: MINUTE_MS, most: COMMERCE_BOUNDS.wrongLicenseKeysMinute.most, by: createBoundedMap<string, Window>(ADDRESSES_MAX) },
    { ms: HOUR_MS, most: COMMERCE_BOUNDS.wrongLicenseKeysHour.most, by: createBoundedMap<string, Window>(ADDRESSES_MAX) },
  ]
  return {
    count(address) {
      const nowMs = clock.now()
      let refusal: Refusal | null = null
      for (const { ms, most, by } of windows) {
        const known = by.get(address)
        const window = known === undefined || nowMs - known.startMs >= ms ? { startMs: nowMs, wrong: 0 } : known
        by.set(address, window)
        window.wrong += 1
        if (window.wrong > most) {
          const retryAfterSeconds = Math.ceil((window.startMs + ms - nowMs) / 1_000)
          refusal ??= refuse('too_many_wrong_keys', { wrongKeysMax: most, retryAfterSeconds })
        }
      }
      return refusal
    },
  }
}

const ADDRESSES_MAX = COMMERCE_BOUNDS.wrongLicenseKeyAddresses.most
