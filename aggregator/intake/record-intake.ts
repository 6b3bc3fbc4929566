import type { Logger } from 'pino'
import type { CustomerRef } from '../../adapters/counters/counters.ts'
import type { LogRecord } from '../../adapters/event-log/event-log.ts'
import type { Clock } from '../../base/clock.ts'
import type { Partition } from '../../domain/identity.ts'
import { eventHash } from '../../domain/metering/event-hash.ts'
import type { UsageEvent, UsageEventBatch } from '../../domain/metering/usage-event.ts'
import { USAGE_REPORT_TYPE } from '../../domain/metering/usage-report.ts'
import type { AggregatorMetrics } from '../aggregator-metrics.ts'
import type { Candidate, Deduplicator } from '../dedupe/deduplicator.ts'
import type { Retry } from '../retry.ts'
import type { KnownCustomer, PartitionCustomers } from '../tracking/partition-customers.ts'

/** A record prepared for the fold: `customers` and `hashes` match its events by place. */
export type ReadyRecord = {
  readonly record: LogRecord
  readonly batch: UsageEventBatch
  readonly customers: readonly KnownCustomer[]
  readonly hashes: Float64Array
  /** Whether direct usage reports are among them. */
  readonly hasReports: boolean
}

/** Does everything about a read batch that has to be waited for, so that the fold itself never waits. */
export type RecordIntake = {
  /** Leaves out records that cannot be decoded, which are set aside. */
  decode(records: readonly LogRecord[]): Promise<readonly ReadyRecord[]>
  /** Returns customers whose counters cannot be followed and must be tracked anew. */
  loadCustomers(ready: readonly ReadyRecord[]): Promise<readonly CustomerRef[]>
  /** The events of these records that the store holds from before, as the very same objects. */
  storedRepeats(ready: readonly ReadyRecord[], dedupe: Deduplicator): Promise<ReadonlySet<Candidate['event']>>
}

export type RecordIntakeDeps = {
  readonly decode: (value: Uint8Array) => UsageEventBatch
  readonly onUndecodable: (record: LogRecord, reason: string) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
  readonly retry: Retry
  readonly metrics: AggregatorMetrics
  readonly signal: AbortSignal
}

export function createRecordIntake(deps: RecordIntakeDeps, partition: Partition, customers: PartitionCustomers): RecordIntake {
  const { clock, log, retry, metrics, signal } = deps

  function readyRecord(record: LogRecord, batch: UsageEventBatch): ReadyRecord {
    const ofEvents: KnownCustomer[] = []
    const hashes = new Float64Array(batch.events.length)
    let hasReports = false
    for (const event of batch.events) {
      const customer = customers.of(batch.tenant, event.customer)
      hashes[ofEvents.length] = eventHash(customer.seed, event.source, event.id)
      ofEvents.push(customer)
      if (event.type === USAGE_REPORT_TYPE) hasReports = true
    }
    return { record, batch, customers: ofEvents, hashes, hasReports }
  }

  async function setAside(record: LogRecord, error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error)
    metrics.undecodable()
    log.error({ partition, offset: record.offset, bytes: record.value.byteLength, reason }, 'record could not be decoded')
    await retry.do('set a record aside', partition, () => deps.onUndecodable(record, reason), signal)
  }

  return {
    async decode(records) {
      const ready: ReadyRecord[] = []
      for (const record of records) {
        let batch: UsageEventBatch
        try {
          batch = deps.decode(record.value)
        } catch (error) {
          await setAside(record, error)
          continue
        }
        ready.push(readyRecord(record, batch))
      }
      return ready
    },
    async loadCustomers(ready) {
      const unloaded = new Set<KnownCustomer>()
      for (const record of ready) for (const customer of record.customers) if (!customer.isLoaded) unloaded.add(customer)
      if (unloaded.size === 0) return []
      return await retry.do('load tracked counters', partition, () => customers.load([...unloaded], clock.now()), signal)
    },
    async storedRepeats(ready, dedupe) {
      const candidates = ready.flatMap((record) => candidatesOf(record, dedupe))
      if (candidates.length === 0) return NONE
      const repeats = await retry.do('look up possible repeats', partition, () => dedupe.lookUp(candidates), signal)
      metrics.lookedUp(candidates.length, repeats.size)
      return new Set([...repeats].map(({ event }) => event))
    },
  }
}

const NONE: ReadonlySet<UsageEvent> = new Set()

function candidatesOf({ record, batch, hashes }: ReadyRecord, dedupe: Deduplicator): readonly Candidate[] {
  const { tenant, events } = batch
  const { offset, receivedAtMs } = record
  return dedupe.undecided(tenant, events, hashes, receivedAtMs).flatMap((index) => {
    const event = events[index]
    return event === undefined ? [] : { tenant, event, hash: hashes[index] ?? 0, receivedAtMs, offset, index }
  })
}
