import type { CustomerKey, FeatureKey, GrantId, InstantMs } from '../identity.ts'

/** Extra units of one feature for one customer. They burn once: no reset gives them back. */
export type Grant = {
  readonly id: GrantId
  readonly customer: CustomerKey
  readonly feature: FeatureKey
  /** Nano units, above 0. */
  readonly amount: bigint
  /** 0 to 255; lower burns first. */
  readonly priority: number
  /** Never before `createdAtMs`: a grant does not cover earlier usage. */
  readonly effectiveAtMs: InstantMs
  /** Half-open: at this instant the grant has ended. Null: never. */
  readonly expiresAtMs: InstantMs | null
  /** The grant ends here; what burned before stays burned. */
  readonly voidedAtMs: InstantMs | null
  readonly createdAtMs: InstantMs
}

export const GRANT_PRIORITY_DEFAULT = 100
export const GRANT_PRIORITY_MAX = 255
/** The priority of the plan's own allowance, and of what rolled over of it, among the grants. */
export const PLAN_PRIORITY = 128

/**
 * Where units come from. `plan` is the allowance that each reset refills, null when unlimited; `rollover` is what the last period
 * left of it; `correction` is what negative usage gave back beyond all that the period had used. The last two end with the
 * period.
 */
export type AllowanceSource =
  | { readonly kind: 'correction'; readonly expiresAtMs: InstantMs }
  | { readonly kind: 'rollover'; readonly amount: bigint; readonly expiresAtMs: InstantMs }
  | { readonly kind: 'plan'; readonly amount: bigint | null; readonly expiresAtMs: InstantMs }
  | { readonly kind: 'grant'; readonly grant: Grant }

/** Order by priority, then earliest expiry, then the plan's before grants, then age: what burns first comes first. */
export function compareBurnOrder(a: AllowanceSource, b: AllowanceSource): number {
  return (
    priorityOf(a) - priorityOf(b) ||
    expiryOf(a) - expiryOf(b) ||
    KIND_ORDER[a.kind] - KIND_ORDER[b.kind] ||
    (a.kind === 'grant' && b.kind === 'grant' ? compareAge(a.grant, b.grant) : 0)
  )
}

/** The first instant at which the grant has ended; +infinity when nothing ends it. */
export function grantEndMs({ expiresAtMs, voidedAtMs }: Grant): number {
  return Math.min(expiresAtMs ?? Number.POSITIVE_INFINITY, voidedAtMs ?? Number.POSITIVE_INFINITY)
}

const KIND_ORDER = { correction: 0, rollover: 1, plan: 2, grant: 3 } as const

function priorityOf(source: AllowanceSource): number {
  if (source.kind === 'grant') return source.grant.priority
  // A correction takes back wrong usage, so it is used up before anything else burns.
  return source.kind === 'correction' ? -1 : PLAN_PRIORITY
}

/** Orders by the expiry that was granted: voiding a grant does not change the order in which it burned before. */
function expiryOf(source: AllowanceSource): number {
  return source.kind === 'grant' ? (source.grant.expiresAtMs ?? Number.MAX_SAFE_INTEGER) : source.expiresAtMs
}

function compareAge(a: Grant, b: Grant): number {
  if (a.createdAtMs !== b.createdAtMs) return a.createdAtMs - b.createdAtMs
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
