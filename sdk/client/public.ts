/** What `tollgate-sdk` exports. */
export type { Balance } from './balance.ts'
export {
  isTollgateFailure,
  type LimitReached,
  LimitReachedError,
  RequestError,
  TollgateError,
  type TollgateFailure,
  UnavailableError,
  UnsettledError,
} from './errors.ts'
export type { DroppedEvents, EventWarning, TrackedEvent } from './event-queue.ts'
export type { Invoice, InvoiceLine, InvoiceQuery, UpcomingInvoice } from './invoice.ts'
export type { Quantity } from './quantity.ts'
export type { Reads } from './reads.ts'
export type { Hold, Reservation, ReservationCalls, ReservationRequest, SettledRequest, WithReservationOptions } from './reservation.ts'
export type { Settlement, Used, UsedEvent } from './settlement.ts'
export { createTollgateClient, type Decision, type TollgateClient, type TollgateClientOptions, type TrackInput } from './tollgate-client.ts'
export type { Usage, UsageQuery, UsageRow } from './usage.ts'
export {
  type VerifyWebhookOptions,
  verifyWebhook,
  WEBHOOK_EVENT_TYPES,
  type WebhookEvent,
  type WebhookEventType,
  WebhookVerificationError,
} from './verify-webhook.ts'
