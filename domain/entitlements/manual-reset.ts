import type { CustomerKey, FeatureKey, InstantMs } from '../identity.ts'

/** A manual reset: from `atMs` on usage counts from nothing, and the plan's allowance is full again. */
export type ManualReset = {
  readonly id: string
  readonly customer: CustomerKey
  readonly feature: FeatureKey
  readonly atMs: InstantMs
  /** Id of the API key that asked for it. */
  readonly by: string
  readonly reason: string | null
  readonly before: ResetFigures
  readonly after: ResetFigures
}

/** Decimal strings; `remaining` is null when unlimited. Held units are not subtracted. */
export type ResetFigures = { readonly used: string; readonly remaining: string | null; readonly overage: string }
