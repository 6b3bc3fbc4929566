import type { UsageEvent } from '../domain/metering/usage-event.ts'
import type { Narrowing } from '../domain/principal.ts'
import { type Outcome, refuse } from '../domain/refusal.ts'

/** The event, unless it is about something that the sender's key is not for. */
export function withinNarrowing({ customers, eventTypes, features }: Narrowing, event: UsageEvent): Outcome<UsageEvent> {
  if (customers?.includes(event.customer) === false) {
    return refuse('narrowed_key', { what: 'customer', value: event.customer, only: customers })
  }
  // A key of features alone is for reports that name one; an event could count for any.
  if (eventTypes === undefined && features !== undefined) return refuse('narrowed_key', { what: 'feature', value: null, only: features })
  if (eventTypes?.includes(event.type) === false) {
    return refuse('narrowed_key', { what: 'event type', value: event.type, only: eventTypes })
  }
  return event
}
