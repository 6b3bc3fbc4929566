import type { Adoption } from '../../adapters/database/customers/adoption-store.ts'
import type { StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { parsedData } from '../../domain/metering/event-data.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'
import { USAGE_REPORT_TYPE, type UsageReport } from '../../domain/metering/usage-report.ts'

export type MoveUsageDeps = {
  readonly usageStore: Pick<UsageStore, 'scanEvents' | 'findEvents'>
  /** Resolves when the events are durable in the log. */
  readonly submit: (tenant: TenantKey, events: readonly UsageEvent[]) => Promise<void>
}

/**
 * Appends the events of an adopted customer to the log as its adopter's, with source, id and time as they were. What the adopter
 * has already is left out, and what two passes append at the same time is a repeat like any other: so a pass may be cut short,
 * repeated, and run twice at once. Resolves with the number of events that were appended.
 */
export async function moveUsage({ usageStore, submit }: MoveUsageDeps, { tenant, customer, adopter }: Adoption): Promise<number> {
  let moved = 0
  for await (const page of usageStore.scanEvents({ tenant, customers: [customer] })) {
    for (let from = 0; from < page.length; from += EVENTS_AT_ONCE) {
      const events = page
        .slice(from, from + EVENTS_AT_ONCE)
        .map((event) => ({ event, key: { tenant, customer: adopter, source: event.source, id: event.id } }))
      const known = await usageStore.findEvents(
        events.map(({ key }) => key),
        0 as InstantMs,
      )
      const missing = events.flatMap(({ event, key }) => (known.has(key) ? [] : [movedEvent(event, adopter)]))
      if (missing.length > 0) await submit(tenant, missing)
      moved += missing.length
    }
  }
  return moved
}

/** Some records of the log, and one look-up. */
const EVENTS_AT_ONCE = 5_000

function movedEvent(event: StoredEvent, adopter: Adoption['adopter']): UsageEvent {
  const { id, source, type, customer, subject, occurredAtMs, data, attributes } = event
  const kept = type === USAGE_REPORT_TYPE ? movedReport(data) : data
  return { id, source, type, customer: adopter, subject: subject ?? customer, occurredAtMs, data: kept, attributes }
}

/** What a `set` came to is added: what it set was the usage of the adopted customer alone. The hold that a report settled has ended. */
function movedReport(data: string): string {
  const { reservation: _ended, delta, periodStart: _start, periodEnd: _end, filter: _filter, ...report } = parsedData(data) as UsageReport
  return JSON.stringify(report.behaviour === 'set' ? { ...report, behaviour: 'delta', quantity: delta ?? '0' } : report)
}
