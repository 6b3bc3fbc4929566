import type { TenantKey } from '../domain/identity.ts'
import { customerHash } from '../domain/metering/partitioning.ts'
import type { UsageEvent } from '../domain/metering/usage-event.ts'
import type { RecordWriter } from './record-writer.ts'

/**
 * Appends events that this system makes itself (settled reservations, direct reports) to the log, beside those that come over
 * HTTP. They are valid already. Resolves when all are durable; rejects with the log's fault when one may not be, and then all may
 * be appended again.
 */
export async function appendEvents(writer: RecordWriter, tenant: TenantKey, events: readonly UsageEvent[]): Promise<void> {
  const indexed = events.map((event, index) => ({ index, event, customerHash: customerHash(tenant, event.customer) }))
  const [failure] = await writer.write(tenant, indexed, { together: true })
  if (failure !== undefined) throw failure.fault
}
