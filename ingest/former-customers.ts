import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { formerCustomers, type NameHistory } from '../domain/catalog/customer-name.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../domain/identity.ts'
import { DEDUPE_HORIZON_MS } from '../domain/metering/usage-event.ts'

/** An event without a time of its own, whose name has passed from one customer to another. */
export type MovedEvent = { readonly name: string; readonly history: NameHistory; readonly source: string; readonly id: string }

/**
 * The time of an event that brings none is that of its receipt, so that a repeat of it comes after its name has moved: who
 * had the name before may have the event, and then the repeat is theirs too. Of the events that are, by index, whose they are.
 */
export type FindFormerCustomers = (tenant: TenantKey, events: readonly MovedEvent[]) => Promise<ReadonlyMap<MovedEvent, CustomerKey>>

export type FormerCustomersDeps = {
  readonly usageStore: Pick<UsageStore, 'findEvents'>
  /** All events received before this instant are in the store. */
  readonly completeUntil: () => Promise<InstantMs>
  readonly clock: Clock
}

/** The store is at most seconds behind; a sender whose request waits longer sends it again. */
const WAIT_MS_MAX = 5_000
const POLL_MS = 50

export function createFindFormerCustomers({ usageStore, completeUntil, clock }: FormerCustomersDeps): FindFormerCustomers {
  async function whenComplete(untilMs: InstantMs): Promise<void> {
    const deadlineMs = clock.now() + WAIT_MS_MAX
    while ((await completeUntil()) < untilMs) {
      if (clock.now() > deadlineMs) {
        const text = 'An event without a time has a name that moved lately, and it is not known yet whether it is a repeat; send it again.'
        throw new Fault('usage_store_unavailable', 'usage store is behind a moved name', { canRetry: true, publicText: text })
      }
      await clock.sleep(POLL_MS)
    }
  }

  return async (tenant, events) => {
    const nowMs = clock.now()
    const receivedFromMs = (nowMs - DEDUPE_HORIZON_MS) as InstantMs
    const questions = events.flatMap((event) =>
      formerCustomers(event.name, event.history, receivedFromMs, nowMs).map((customer) => ({ event, customer })),
    )
    if (questions.length === 0) return new Map()
    await whenComplete(Math.max(...events.flatMap(({ history }) => (history ?? []).map(({ untilMs }) => untilMs ?? 0))) as InstantMs)
    const asked = questions.map(({ event, customer }) => ({ event, key: { tenant, customer, source: event.source, id: event.id } }))
    const kept = await usageStore.findEvents(
      asked.map(({ key }) => key),
      receivedFromMs,
    )
    // The latest owner comes first, and the earliest that has the event is the one to have counted it.
    return new Map(asked.flatMap(({ event, key }) => (kept.has(key) ? [[event, key.customer] as const] : [])))
  }
}
