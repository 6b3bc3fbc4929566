import type { Alert, Threshold } from '../../domain/alerts/alert.ts'
import { formatQuantity, NANO } from '../../domain/decimal.ts'
import type { CustomerKey, Period } from '../../domain/identity.ts'
import { periodJson } from '../../schemas/http/instants.ts'

export type AlertStanding = { readonly usedUnits: bigint; readonly limit: bigint | null; readonly period: Period }

/** What is told of an alert, and answered; null for a customer that has no such feature any more. */
export function alertData({ key, feature, at }: Alert, customer: CustomerKey, standing: AlertStanding | null) {
  return { alert: key, customer, feature, at: thresholdText(at), ...(standing === null ? {} : standingJson(standing)) }
}

export function standingJson({ usedUnits, limit, period }: AlertStanding) {
  return {
    used: formatQuantity(usedUnits),
    limit: limit === null ? null : formatQuantity(limit),
    share: limit === null || limit === 0n ? null : formatQuantity(((usedUnits * SHARE_STEPS) / limit) * (NANO / SHARE_STEPS)),
    period: periodJson(period),
  }
}

const SHARE_STEPS = 10_000n

export function thresholdText(at: Threshold): string {
  return 'units' in at ? formatQuantity(at.units) : `${formatQuantity(at.percentNano)}%`
}
