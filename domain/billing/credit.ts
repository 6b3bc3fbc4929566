import type { FeatureKey, InstantMs } from '../identity.ts'
import type { LineKind } from './invoice.ts'
import type { Money } from './money.ts'

/** Prepaid or granted money of one customer. It pays lines before tax. */
export type Credit<C extends string = string> = {
  /** Chosen by the caller, so that a repeat is the same credit. */
  readonly id: string
  readonly amount: Money<C>
  /** What was paid for it, without tax; 0 when it was granted. */
  readonly paid: Money<C>
  /** Lower burns first. */
  readonly priority: number
  /** It pays usage with event times from here on. */
  readonly effectiveAtMs: InstantMs
  /** Half-open: usage at this instant is not paid by it. Null: never expires. */
  readonly expiresAtMs: InstantMs | null
  readonly createdAtMs: InstantMs
  readonly appliesTo: { readonly kinds: readonly LineKind[] | null; readonly features: readonly FeatureKey[] | null }
  /** amount = burned + expired + voided + left; none is below zero. */
  readonly burned: Money<C>
  readonly expired: Money<C>
  readonly voided: Money<C>
}

export const CREDIT_PRIORITY_DEFAULT = 100

export function leftOf<C extends string>({ amount, burned, expired, voided }: Credit<C>): Money<C> {
  return (amount - burned - expired - voided) as Money<C>
}

/** Order by lowest priority, earliest expiry, granted before paid, oldest, id. */
export function compareCredits<C extends string>(a: Credit<C>, b: Credit<C>): number {
  return (
    a.priority - b.priority ||
    (a.expiresAtMs ?? Number.MAX_SAFE_INTEGER) - (b.expiresAtMs ?? Number.MAX_SAFE_INTEGER) ||
    Number(a.paid > 0n) - Number(b.paid > 0n) ||
    a.createdAtMs - b.createdAtMs ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  )
}

export function isAlive<C extends string>({ effectiveAtMs, expiresAtMs }: Credit<C>, atMs: number): boolean {
  return effectiveAtMs <= atMs && (expiresAtMs === null || atMs < expiresAtMs)
}

/** A credit without `appliesTo` pays usage, and corrections of usage. */
export function pays<C extends string>(
  { appliesTo }: Credit<C>,
  line: { readonly kind: LineKind; readonly feature: FeatureKey | null },
): boolean {
  const kinds = appliesTo.kinds ?? (['usage', 'adjustment'] as const)
  if (!kinds.some((kind) => kind === line.kind)) return false
  return appliesTo.features === null || (line.feature !== null && appliesTo.features.includes(line.feature))
}
