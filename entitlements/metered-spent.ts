import type { Spent } from '../domain/entitlements/decision.ts'
import type { MeteredEntitlement } from '../domain/entitlements/entitlements.ts'
import type { Period } from '../domain/identity.ts'

/** What was spent of a metered feature, and in which period. */
export type PeriodSpent = Spent & { readonly period: Period }

export type MeteredSpent = { readonly entitlement: MeteredEntitlement; readonly spent: PeriodSpent }
