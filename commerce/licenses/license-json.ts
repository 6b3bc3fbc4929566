import type { License } from '../../adapters/database/licenses/license-store.ts'
import type { InstantMs } from '../../domain/identity.ts'
import type { Activation } from '../../domain/selling/license-terms.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import { activationsMaxOf, licenseStatus } from './license.ts'

/** For the seller; the key is its last four characters. */
export function licenseJson(license: License, nowMs: InstantMs) {
  const { id, customer, policy, product, lastFour, owner, quantity, suspendedBy, issuedMs, expiresMs, revokedMs } = license
  return {
    ...{ id, customer, policy, product, status: licenseStatus(license, nowMs), lastFour, owner, quantity },
    ...{ activationsMax: activationsMaxOf(license), suspendedBy: [...suspendedBy], issuedAt: instantJson(issuedMs) },
    ...{ expiresAt: instantOrNull(expiresMs), revokedAt: instantOrNull(revokedMs) },
  }
}

/** For the customer's machine. */
export function shownLicenseJson(license: License, nowMs: InstantMs) {
  const { id, product, policy, quantity, expiresMs } = license
  return { id, product, policy, status: licenseStatus(license, nowMs), quantity, expiresAt: instantOrNull(expiresMs) }
}

export function activationJson({ id, name, createdMs, seenMs, endedMs }: Activation) {
  return { id, name, createdAt: instantJson(createdMs), seenAt: instantJson(seenMs), endedAt: instantOrNull(endedMs) }
}

function instantOrNull(ms: InstantMs | null): string | null {
  return ms === null ? null : instantJson(ms)
}
