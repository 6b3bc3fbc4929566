import type { Json } from '../domain/model-calls/told-values.ts'
import type { CostTable } from '../rating/cost-table.ts'
import { type StampedCall, stampModelCall } from './core/stamp-model-call.ts'
import type { IndexedEvent } from './record-writer.ts'

export type ModelCallEvents = {
  /** The call, then calls that were made inside it as events of their own: `<id>/1` and on. */
  readonly events: readonly IndexedEvent[]
  /** The call's data as it is kept. */
  readonly data: Json
  readonly warning: StampedCall['warning']
}

/** The events that a call of a model becomes; null where it stays as it is. `data` is its data as it was sent. */
export function modelCallEvents(sent: IndexedEvent, data: Json, costs: CostTable | null): ModelCallEvents | null {
  const { event } = sent
  const stamped = stampModelCall(data, event.occurredAtMs, costs)
  if (stamped === null) return null
  const inner = stamped.inner.map((one, at): IndexedEvent => {
    // What ends a hold, or anything else that was said of the event, was said of the call.
    const made = { ...event, id: `${event.id}/${at + 1}`, data: JSON.stringify(one), attributes: null }
    return { ...sent, event: made, isInner: true }
  })
  const call = { ...sent, event: { ...event, data: JSON.stringify(stamped.data) } }
  return { events: [call, ...inner], data: stamped.data, warning: stamped.warning }
}
