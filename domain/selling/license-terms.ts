import type { TermLength } from '../catalog/plan-selling.ts'
import type { InstantMs } from '../identity.ts'

/** What a policy says; a license keeps the terms of its issue. */
export type LicenseTerms = {
  readonly prefix?: string
  readonly format?: 'blocks' | 'uuid'
  /** Null: without end. */
  readonly activationsMax: number | null
  readonly perUnit?: 'keys' | 'activations'
  readonly validFor?: TermLength | null
  readonly withSubscription?: 'expire' | 'keep'
  readonly offlineDays?: number
  readonly leaseMinutes?: number
  /** Null: without end. Absent: the greater of 3 and `activationsMax`. */
  readonly replacementsMax?: number | null
  readonly requires?: { readonly fingerprint?: boolean; readonly activation?: boolean }
}

export const SUSPENSIONS = ['dispute', 'person', 'subscription'] as const
export type Suspension = (typeof SUSPENSIONS)[number]

export type LicenseState = {
  readonly terms: LicenseTerms
  /** Units of the order that this one license stands for. */
  readonly quantity: number
  readonly issuedMs: InstantMs
  /** Half-open: at this instant it has expired. */
  readonly expiresMs: InstantMs | null
  readonly revokedMs: InstantMs | null
  /** All causes must go before it is active again. */
  readonly suspendedBy: readonly Suspension[]
}

/** A license in use by one machine, site or user. */
export type Activation = {
  readonly id: string
  readonly name: string
  /** SHA-256 of the fingerprint. */
  readonly fingerprint: string | null
  readonly createdMs: InstantMs
  /** The last activation or validation; a lease counts from it. */
  readonly seenMs: InstantMs
  readonly endedMs: InstantMs | null
}
