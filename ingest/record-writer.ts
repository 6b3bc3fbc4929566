import { Counter, type Registry } from 'prom-client'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { Clock } from '../base/clock.ts'
import { invariant } from '../base/invariant.ts'
import type { Partition, TenantKey } from '../domain/identity.ts'
import { partitionOfHash } from '../domain/metering/partitioning.ts'
import { RECORD_EVENTS_MAX, type UsageEvent } from '../domain/metering/usage-event.ts'
import { encodeUsageEventBatch } from '../schemas/avro/usage-event-batch.ts'

/**
 * An event, its place in its request, and the hash of its tenant and customer, which decides its partition. `isInner`: it was not
 * sent as an event but told within the one of this index, which counts for both in answers.
 */
export type IndexedEvent = {
  readonly index: number
  readonly event: UsageEvent
  readonly customerHash: number
  readonly isInner?: true
}

/** Events whose record the log did not acknowledge, and why. */
export type WriteFailure = { readonly events: readonly IndexedEvent[]; readonly fault: unknown }

export type RecordWriter = {
  /** Resolves when every record that holds one of these events is acknowledged or has failed; never rejects. */
  write(tenant: TenantKey, events: readonly IndexedEvent[], how?: { readonly together: boolean }): Promise<readonly WriteFailure[]>
  /** Resolves when nothing is under way. */
  drain(): Promise<void>
}

/** Below the log's bound by the size of one more event. */
const RECORD_FILL_BYTES_MAX = 900_000

/**
 * Groups events into records, one lane per tenant and partition. While an append of a lane is under way, events gather in the
 * next record, from however many requests; a full record goes at once. So a quiet log answers fast, and a busy one gets few and
 * large records.
 */
export function createRecordWriter(options: {
  readonly eventLog: EventLog
  readonly clock: Clock
  readonly registry: Registry
}): RecordWriter {
  const { eventLog, clock } = options
  const accepted = new Counter({
    name: 'tollgate_ingest_events_accepted_total',
    help: 'Events made durable, repeats included',
    registers: [options.registry],
  })
  const lanesOfTenant = new Map<TenantKey, Lane[]>()
  const underWay = new Set<Promise<void>>()
  let dueLanes: Lane[] = []

  function laneOf(tenant: TenantKey, partition: Partition): Lane {
    let lanes = lanesOfTenant.get(tenant)
    if (lanes === undefined) {
      lanes = []
      lanesOfTenant.set(tenant, lanes)
    }
    let lane = lanes[partition]
    if (lane === undefined) {
      lane = { tenant, partition, open: null, appends: 0, isDue: false }
      lanes[partition] = lane
    }
    return lane
  }

  /** Closes the open record when it has no room for all of them, which one record has. */
  function makeRoom(tenant: TenantKey, events: readonly IndexedEvent[]): void {
    const [first] = events
    if (first === undefined) return
    const lane = laneOf(tenant, partitionOfHash(first.customerHash, eventLog.partitions))
    const bytes = events.reduce((sum, { event }) => sum + encodedBytesMax(event), 0)
    invariant(events.length <= RECORD_EVENTS_MAX && bytes <= RECORD_FILL_BYTES_MAX, 'events that belong together fit into one record')
    if (lane.open === null) return
    if (lane.open.events.length + events.length > RECORD_EVENTS_MAX || lane.open.bytes + bytes > RECORD_FILL_BYTES_MAX) appendOpen(lane)
  }

  /** Requests that are handled in the same turn of the event loop share the records of idle lanes. */
  function makeDue(lane: Lane): void {
    if (lane.isDue || lane.appends > 0) return
    lane.isDue = true
    if (dueLanes.length === 0) void clock.turn().then(appendDue)
    dueLanes.push(lane)
  }

  function appendDue(): void {
    const lanes = dueLanes
    dueLanes = []
    for (const lane of lanes) {
      lane.isDue = false
      appendOpen(lane)
    }
  }

  function appendOpen(lane: Lane): void {
    const record = lane.open
    if (record === null) return
    lane.open = null
    lane.appends++
    const done = appendRecord(lane, record).finally(() => {
      lane.appends--
      underWay.delete(done)
      if (lane.appends === 0) appendOpen(lane)
      if (lane.appends === 0) forgetWhenIdle(lane.tenant)
    })
    underWay.add(done)
  }

  async function appendRecord(lane: Lane, record: OpenRecord): Promise<void> {
    let fault: unknown
    let isKept = false
    try {
      const value = encodeUsageEventBatch({ tenant: lane.tenant, events: record.events })
      await eventLog.append(lane.partition, value, clock.now())
      isKept = true
      accepted.inc(record.events.length)
    } catch (error) {
      fault = error
    }
    record.shares.forEach(({ ticket, events }) => {
      if (!isKept) ticket.failures.push({ events, fault })
      ticket.records--
      if (ticket.records === 0) ticket.resolve(ticket.failures)
    })
  }

  /** Tenants come and go; lanes of silent ones take no memory. */
  function forgetWhenIdle(tenant: TenantKey): void {
    const lanes = lanesOfTenant.get(tenant)
    if (lanes?.every((lane) => lane.appends === 0 && lane.open === null)) lanesOfTenant.delete(tenant)
  }

  return {
    write(tenant, events, { together } = { together: false }) {
      if (events.length === 0) return Promise.resolve([])
      return new Promise((resolve) => {
        const ticket: Ticket = { records: 0, failures: [], resolve }
        if (together) makeRoom(tenant, events)
        for (const indexed of events) {
          const lane = laneOf(tenant, partitionOfHash(indexed.customerHash, eventLog.partitions))
          const bytes = encodedBytesMax(indexed.event)
          if (lane.open !== null && isFull(lane.open, bytes)) appendOpen(lane)
          lane.open ??= { events: [], bytes: 0, shares: [] }
          add(lane.open, indexed, bytes, ticket)
          makeDue(lane)
        }
      })
    },
    async drain() {
      while (underWay.size > 0 || dueLanes.length > 0) {
        if (underWay.size > 0) await Promise.all(underWay)
        else await clock.turn()
      }
    },
  }
}

/** One `write` call, open until its last record is done. */
type Ticket = { records: number; readonly failures: WriteFailure[]; readonly resolve: (failures: readonly WriteFailure[]) => void }
type OpenRecord = {
  readonly events: UsageEvent[]
  bytes: number
  readonly shares: { readonly ticket: Ticket; readonly events: IndexedEvent[] }[]
}
type Lane = { readonly tenant: TenantKey; readonly partition: Partition; open: OpenRecord | null; appends: number; isDue: boolean }

function isFull(record: OpenRecord, bytes: number): boolean {
  return record.events.length >= RECORD_EVENTS_MAX || record.bytes + bytes > RECORD_FILL_BYTES_MAX
}

function add(record: OpenRecord, indexed: IndexedEvent, bytes: number, ticket: Ticket): void {
  record.events.push(indexed.event)
  record.bytes += bytes
  // A write adds all of its events in one go, so those of one ticket adjoin.
  const share = record.shares.at(-1)
  if (share?.ticket === ticket) share.events.push(indexed)
  else {
    ticket.records++
    record.shares.push({ ticket, events: [indexed] })
  }
}

/** At least what the event takes in Avro: UTF-8 has at most 3 bytes per character of a JavaScript string. */
function encodedBytesMax(event: UsageEvent): number {
  const named = event.id.length + event.source.length + event.type.length + event.customer.length + (event.subject?.length ?? 0)
  return named * 3 + utf8BytesMax(event.data) + utf8BytesMax(event.attributes ?? '') + FRAME_BYTES
}

const FRAME_BYTES = 40

/** Counted where the result matters, and overestimated where counting costs more than it saves. */
function utf8BytesMax(text: string): number {
  return text.length > 512 ? Buffer.byteLength(text) : text.length * 3
}
