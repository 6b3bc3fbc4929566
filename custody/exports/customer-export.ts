import type { CustomerExportReader } from '../../adapters/database/customer-exports/customer-export-reader.ts'
import type { StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, TenantKey } from '../../domain/identity.ts'
import { instantJson } from '../../schemas/http/instants.ts'

export type ExportSources = { readonly reader: CustomerExportReader; readonly usageStore: Pick<UsageStore, 'events'> }

const ROWS_AT_ONCE = 500
const EVENTS_AT_ONCE = 2_000
const EVENT_BYTES_AT_ONCE = 8 * 2 ** 20

/** The lines of an export; each page is read when the one before has been taken, so a slow reader holds up nothing. */
export async function* customerExport(
  { reader, usageStore }: ExportSources,
  tenant: TenantKey,
  customer: CustomerKey,
): AsyncGenerator<string> {
  let written = 0
  const linesOf = (of: string, rows: readonly object[]): string => {
    written += rows.length
    return rows.map((row) => `${JSON.stringify({ of, row })}\n`).join('')
  }
  for (const table of await reader.tables()) {
    for (let offset = 0; ; offset += ROWS_AT_ONCE) {
      const rows = await reader.rows(tenant, customer, table, { offset, limit: ROWS_AT_ONCE })
      if (rows.length > 0) yield linesOf(table.name, rows)
      if (rows.length < ROWS_AT_ONCE) break
    }
  }
  let after: StoredEvent | undefined
  do {
    const query = { tenant, customer, limit: EVENTS_AT_ONCE, bytesMax: EVENT_BYTES_AT_ONCE }
    const events: readonly StoredEvent[] = await usageStore.events({ ...query, ...(after !== undefined && { after }) })
    if (events.length > 0) yield linesOf('events', events.map(eventRow))
    after = events.at(-1)
  } while (after !== undefined)
  yield `${JSON.stringify({ of: 'end', rows: written })}\n`
}

function eventRow({ id, source, type, subject, occurredAtMs, receivedAtMs, data, attributes }: StoredEvent): object {
  return {
    ...{ id, source, type, subject, time: instantJson(occurredAtMs), receivedAt: instantJson(receivedAtMs) },
    ...{ data: JSON.parse(data), attributes: attributes === null ? null : JSON.parse(attributes) },
  }
}
