import type { InstantMs } from '../../domain/identity.ts'
import { type Outcome, type Refusal, refuse } from '../../domain/refusal.ts'
import { addMonths } from '../../domain/time/add-months.ts'
import { DAY_MS, HOUR_MS } from '../../domain/time/durations.ts'

/** What stands behind a customer's download: an order or a subscription, as it is now. */
export type HoldingState = {
  readonly isRefunded: boolean
  readonly isDisputed: boolean
  /** The end of the subscription; null while it is in force, and of an order. */
  readonly endedMs: InstantMs | null
  readonly isPaused: boolean
  readonly paidMs: InstantMs
  readonly updatesForMonths: number | null
  /** Counted downloads of the holding; null is without end. */
  readonly downloadsMax: number | null
  /** What was out by the end of the subscription stays. */
  readonly keepsAfterEnd: boolean
}

export type ReleaseState = {
  readonly createdMs: InstantMs
  readonly withdrawnMs: InstantMs | null
  /** Its bytes are gone. */
  readonly isErased: boolean
}

/** Reloads, resumes and ranges within this time of a counted download are the same download. */
export const SAME_DOWNLOAD_MS = DAY_MS

/** Whether a link made then is over. */
export function linkEndMs(madeMs: InstantMs, linkHours: number): InstantMs {
  return (madeMs + linkHours * HOUR_MS) as InstantMs
}

/**
 * Whether the release may be taken now: the first reason that holds, in the order of the codes below. `counted` are the instants of
 * counted downloads of the holding, of this release and of others; `null` is answered where nothing speaks against it. Refuses
 * `link_expired`, `purchase_refunded`, `purchase_disputed`, `access_ended`, `subscription_paused`, `release_withdrawn`,
 * `updates_ended`, `download_limit_reached`.
 */
export function decideDownload(
  holding: HoldingState,
  release: ReleaseState,
  counted: { readonly ofRelease: readonly InstantMs[]; readonly ofHolding: number },
  link: { readonly endMs: InstantMs },
  nowMs: InstantMs,
): Outcome<{ readonly isNew: boolean }> {
  if (nowMs >= link.endMs) return refuse('link_expired', {})
  const refusal = refuseRelease(holding, release)
  if (refusal !== null) return refusal
  const isNew = !counted.ofRelease.some((atMs) => nowMs - atMs < SAME_DOWNLOAD_MS)
  const { downloadsMax } = holding
  return isNew && downloadsMax !== null && counted.ofHolding >= downloadsMax
    ? refuse('download_limit_reached', { downloadsMax })
    : { isNew }
}

/** Why the customer does not have the release; null when it has. A withdrawn one stays with those whose purchase is older, until its bytes are gone. */
export function refuseRelease(holding: HoldingState, release: ReleaseState): Refusal | null {
  const { isRefunded, isDisputed, endedMs, isPaused, paidMs, updatesForMonths, keepsAfterEnd } = holding
  if (isRefunded) return refuse('purchase_refunded', {})
  if (isDisputed) return refuse('purchase_disputed', {})
  if (endedMs !== null && !(keepsAfterEnd && release.createdMs < endedMs)) return refuse('access_ended', {})
  if (isPaused) return refuse('subscription_paused', {})
  if (release.isErased || (release.withdrawnMs !== null && paidMs >= release.withdrawnMs)) return refuse('release_withdrawn', {})
  const isTooLate = updatesForMonths !== null && release.createdMs >= addMonths(paidMs, updatesForMonths)
  return isTooLate ? refuse('updates_ended', {}) : null
}
