import type { CustomerKey, InstantMs, TenantKey } from '../identity.ts'

/** A usage event as it stands in the log: validated, its subject resolved to a customer. */
export type UsageEvent = {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly customer: CustomerKey
  /** The subject as sent when it is not the customer's own key, otherwise null. */
  readonly subject: string | null
  /** Event time, to the millisecond: decides window and period. */
  readonly occurredAtMs: InstantMs
  /** JSON text of an object; '{}' when the event had no data. */
  readonly data: string
  /** JSON text of an object with the unknown attributes, or null when there were none. */
  readonly attributes: string | null
}

/** Value of one log record: events of one tenant and one partition that arrived together. */
export type UsageEventBatch = {
  readonly tenant: TenantKey
  readonly events: readonly UsageEvent[]
}

/** The source of an event that names none. */
export const EVENT_SOURCE_DEFAULT = 'default'
/** Also the bound on a meter's event type, as one with a longer type would never count. */
export const EVENT_TYPE_CHARS_MAX = 128
export const EVENT_AGE_MAX_MS = 35 * 86_400_000
export const EVENT_LEAD_MAX_MS = 3_600_000
/** A repeat of an event is recognised when the first was received at most this long before. */
export const DEDUPE_HORIZON_MS = 35 * 86_400_000

/** Events in one record of the log. */
export const RECORD_EVENTS_MAX = 1_000
