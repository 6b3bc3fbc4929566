import type { InstantMs } from '../../domain/identity.ts'
import { type Outcome, refuse } from '../../domain/refusal.ts'
import type { Activation, LicenseState } from '../../domain/selling/license-terms.ts'
import { DAY_MS, MINUTE_MS } from '../../domain/time/durations.ts'

export type LicenseStatus = 'active' | 'suspended' | 'expired' | 'revoked'

export const OFFLINE_DAYS_DEFAULT = 14
const REPLACEMENTS_MIN = 3
/** New activations are counted over this time, so that a key cannot wander over any number of machines with an offline token on each. */
export const REPLACEMENT_WINDOW_MS = 30 * DAY_MS

export function licenseStatus({ revokedMs, suspendedBy, expiresMs }: LicenseState, atMs: InstantMs): LicenseStatus {
  if (revokedMs !== null) return 'revoked'
  if (suspendedBy.length > 0) return 'suspended'
  return expiresMs !== null && atMs >= expiresMs ? 'expired' : 'active'
}

export function activationsMaxOf({ terms, quantity }: Pick<LicenseState, 'terms' | 'quantity'>): number | null {
  if (terms.activationsMax === null) return null
  return terms.perUnit === 'activations' ? terms.activationsMax * quantity : terms.activationsMax
}

export function isLive({ terms }: Pick<LicenseState, 'terms'>, { endedMs, seenMs }: Activation, atMs: InstantMs): boolean {
  if (endedMs !== null) return false
  return terms.leaseMinutes === undefined || atMs < seenMs + terms.leaseMinutes * MINUTE_MS
}

/** `same`: the machine has an activation already. */
export type ActivationDecision = { readonly kind: 'same'; readonly activation: Activation } | { readonly kind: 'new' }

/**
 * Whether the instance may use the license. `activations` are those that are live and those made within the window of replacements.
 * Refuses `license_revoked`, `license_suspended`, `license_expired`, `fingerprint_required`, `activation_limit_reached`,
 * `replacement_limit_reached`.
 */
export function decideActivation(
  license: LicenseState,
  activations: readonly Activation[],
  fingerprint: string | null,
  nowMs: InstantMs,
): Outcome<ActivationDecision> {
  const status = licenseStatus(license, nowMs)
  if (status !== 'active') return refuse(REFUSED[status], {})
  if (fingerprint === null && license.terms.requires?.fingerprint === true) return refuse('fingerprint_required', {})
  const live = activations.filter((each) => isLive(license, each, nowMs))
  const same = fingerprint === null ? undefined : live.find((each) => each.fingerprint === fingerprint)
  if (same !== undefined) return { kind: 'same', activation: same }
  const limit = activationsMaxOf(license)
  if (limit !== null && live.length >= limit) {
    return refuse('activation_limit_reached', { limit, instances: live.map(({ name }) => name) })
  }
  const retryAtMs = replacementsFreeMs(license, activations, nowMs)
  return retryAtMs === null ? { kind: 'new' } : refuse('replacement_limit_reached', { retryAtMs })
}

const REFUSED = { revoked: 'license_revoked', suspended: 'license_suspended', expired: 'license_expired' } as const

/** When the next new activation is possible; null when it is now. Leases end by themselves and are not counted. */
function replacementsFreeMs(license: LicenseState, activations: readonly Activation[], nowMs: InstantMs): InstantMs | null {
  const limit = activationsMaxOf(license)
  const { leaseMinutes, replacementsMax } = license.terms
  if (limit === null || leaseMinutes !== undefined || replacementsMax === null) return null
  const newMax = limit + (replacementsMax ?? Math.max(REPLACEMENTS_MIN, limit))
  const made = activations.map(({ createdMs }) => createdMs).filter((createdMs) => createdMs > nowMs - REPLACEMENT_WINDOW_MS)
  if (made.length < newMax) return null
  const leaving = made.toSorted((a, b) => a - b)[made.length - newMax]
  return leaving === undefined ? null : ((leaving + REPLACEMENT_WINDOW_MS) as InstantMs)
}

export const VALIDATION_CODES = [
  'unknown_key',
  'revoked',
  'suspended',
  'expired',
  'unknown_activation',
  'not_activated',
  'fingerprint_mismatch',
  'valid',
] as const
export type ValidationCode = (typeof VALIDATION_CODES)[number]

/** The named activation; null where none is named, `unknown` where it is none of this license. */
export type NamedActivation = Activation | 'unknown' | null

/** The first code that holds. */
export function validateLicense(
  license: LicenseState | null,
  named: NamedActivation,
  fingerprint: string | null,
  nowMs: InstantMs,
): ValidationCode {
  if (license === null) return 'unknown_key'
  const status = licenseStatus(license, nowMs)
  if (status !== 'active') return status
  if (named === 'unknown') return 'unknown_activation'
  if (named === null) return license.terms.requires?.activation === true ? 'not_activated' : 'valid'
  if (!isLive(license, named, nowMs)) return 'not_activated'
  return fingerprint !== null && named.fingerprint !== fingerprint ? 'fingerprint_mismatch' : 'valid'
}

/** When a token given now is over: with the license, the lease, or the days offline. Null where none is given. */
export function tokenEndMs({ terms, expiresMs }: Pick<LicenseState, 'terms' | 'expiresMs'>, nowMs: InstantMs): InstantMs | null {
  const { offlineDays = OFFLINE_DAYS_DEFAULT, leaseMinutes } = terms
  if (offlineDays === 0) return null
  const ends = [nowMs + offlineDays * DAY_MS]
  if (expiresMs !== null) ends.push(expiresMs)
  if (leaseMinutes !== undefined) ends.push(nowMs + leaseMinutes * MINUTE_MS)
  return Math.min(...ends) as InstantMs
}
