import type { Logger } from 'pino'
import { Counter, Gauge, type Registry } from 'prom-client'
import { tellMemory } from '../base/bounds/memory-owners.ts'
import type { Clock } from '../base/clock.ts'
import type { InstantMs, TenantKey } from '../domain/identity.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { EVENT_AGE_MAX_MS, EVENT_LEAD_MAX_MS } from '../domain/metering/usage-event.ts'
import type { ModelCostRevision } from '../domain/model-calls/model-cost-entry.ts'
import { type Refusal, refuse } from '../domain/refusal.ts'
import { createCostTable } from '../rating/cost-table.ts'
import type { CustomerNames } from '../usage/customer-names.ts'
import type { FindFormerCustomers } from './former-customers.ts'
import { INGEST_BOUNDS } from './ingest-bounds.ts'
import { causeOf, type IngestOutcome, type NotTaken } from './ingest-outcome.ts'
import { createIngestRequest, type IngestMode, type IngestRequest } from './ingest-request.ts'
import type { RecordWriter } from './record-writer.ts'
import { createRoom, type Room } from './room.ts'
import { createTenantCopies } from './tenant-copies.ts'
import { createFamiliarCustomers, type FindSimilarCustomers } from './warnings/familiar-customers.ts'
import { createTypeReaders } from './warnings/type-reader.ts'

export type IngestLimits = {
  readonly requestEventsMax: number
  /** Bounds on a compressed body as it comes over the wire, and on any body once unpacked. */
  readonly packedBytesMax: number
  readonly unpackedBytesMax: number
  /** Unpacked bytes that all requests together hold until they are durable. One connection may hold a quarter of them. */
  readonly bytesInFlightMax: number
}

export const INGEST_LIMITS: IngestLimits = {
  requestEventsMax: INGEST_BOUNDS.events.most,
  packedBytesMax: INGEST_BOUNDS.packedBody.most,
  unpackedBytesMax: INGEST_BOUNDS.body.most,
  bytesInFlightMax: INGEST_BOUNDS.bytes.most,
}
/** How long a request waits for meters or costs that have changed; after that the last known ones are taken. */
const COPIES_WAIT_MS_MAX = 250

export type IngestOptions = {
  readonly writer: RecordWriter
  readonly names: Pick<CustomerNames, 'load'>
  /** Null where the usage store is not at hand: then a repeat without a time is of whoever has its name by now. */
  readonly findFormerCustomers: FindFormerCustomers | null
  /** All meters of a tenant. */
  readonly metersOf: (tenant: TenantKey) => Promise<readonly Meter[]>
  /** All revisions of a tenant's model costs. */
  readonly modelCostsOf: (tenant: TenantKey) => Promise<readonly ModelCostRevision[]>
  readonly findSimilarCustomers: FindSimilarCustomers
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly limits?: Partial<IngestLimits>
}

export type Ingest = {
  readonly limits: IngestLimits
  readonly clock: Clock
  readonly room: Room
  /** Begins a request whose events come in pieces. */
  begin(tenant: TenantKey, mode: IngestMode): IngestRequest
  /** Takes all events of one request, slice by slice; answers when they are durable. */
  submit(tenant: TenantKey, slices: Iterable<readonly unknown[]>, mode: IngestMode): Promise<IngestOutcome>
  /** To be called when a meter of the tenant has changed. */
  invalidateMeters(tenant: TenantKey): void
  /** To be called when what the tenant's models cost has changed. */
  invalidateCosts(tenant: TenantKey): void
  /** Changes may have gone unheard. */
  invalidateAll(): void
  countRefusal(why: NotTaken): void
  /** Resolves when everything handed to the log is durable or has failed. */
  drain(): Promise<void>
}

/** The stage between HTTP and the event log. README.md states what its answers promise. */
export function createIngest(options: IngestOptions): Ingest {
  const { clock, writer } = options
  const limits = { ...INGEST_LIMITS, ...options.limits }
  const room = createRoom(limits.bytesInFlightMax, clock)
  const metrics = createMetrics(options.registry, room)
  const copied = { clock, waitMsMax: COPIES_WAIT_MS_MAX }
  const meters = createTenantCopies({ ...copied, load: async (tenant) => createTypeReaders(await options.metersOf(tenant)) })
  const costs = createTenantCopies({ ...copied, load: async (tenant) => createCostTable(await options.modelCostsOf(tenant)) })
  const familiar = createFamiliarCustomers(options.findSimilarCustomers)

  function begin(tenant: TenantKey, mode: IngestMode): IngestRequest {
    const receivedAtMs = clock.now()
    return createIngestRequest({
      tenant,
      isAtomic: mode.isAtomic,
      only: mode.only ?? null,
      eventsMax: limits.requestEventsMax,
      times: {
        receivedAtMs,
        clockAheadMs: mode.clockAheadMs ?? 0,
        earliestMs: mode.isBackfill ? BACKFILL_EARLIEST_MS : ((receivedAtMs - EVENT_AGE_MAX_MS) as InstantMs),
        latestMs: mode.isBackfill ? BACKFILL_LATEST_MS : ((receivedAtMs + EVENT_LEAD_MAX_MS) as InstantMs),
      },
      names: options.names,
      findFormerCustomers: options.findFormerCustomers,
      writer,
      clock,
      readersOf: () => meters.of(tenant),
      costsOf: () => costs.of(tenant),
      familiar,
      onRejected: (code) => metrics.rejected.inc({ reason: code }),
      onWarned: (code, events) => metrics.warned.inc({ reason: code }, events),
      log: options.log,
    })
  }

  return {
    limits,
    clock,
    room,
    begin,
    async submit(tenant, slices, mode) {
      const request = begin(tenant, mode)
      try {
        for (const values of slices) {
          if (request.events() + values.length > limits.requestEventsMax)
            return await request.abandon(tooManyEvents(limits.requestEventsMax))
          if (request.events() > 0) await clock.turn()
          await request.add(values)
        }
        return await request.finish()
      } catch (error) {
        return request.abandon(causeOf(error))
      }
    },
    invalidateMeters: (tenant) => meters.forget(tenant),
    invalidateCosts: (tenant) => costs.forget(tenant),
    invalidateAll() {
      meters.forgetAll()
      costs.forgetAll()
    },
    countRefusal: ({ code }) => metrics.refused.inc({ reason: code }),
    drain: () => writer.drain(),
  }
}

export function tooManyEvents(eventsMax: number): Refusal {
  return refuse('too_many_events', { eventsMax })
}

/** The earliest time that the usage store can hold: a backfilled event may be as old as the epoch. */
const BACKFILL_EARLIEST_MS = 0 as InstantMs
/** The usage store keeps minutes up to 2106. */
const BACKFILL_LATEST_MS = Date.UTC(2100, 0, 1) as InstantMs

function createMetrics(registry: Registry, room: Room) {
  const registers = [registry]
  tellMemory(registry, 'ingest', () => room.bytes.held())
  tellMemory(registry, 'decoders', () => room.decoders.held())
  new Gauge({
    name: 'tollgate_ingest_held_bytes',
    help: 'Unpacked bytes of requests received and not yet durable',
    registers,
    collect() {
      this.set(room.bytes.held())
    },
  })
  new Gauge({
    name: 'tollgate_ingest_decoder_bytes',
    help: 'Memory of the decoders that unpack bodies',
    registers,
    collect() {
      this.set(room.decoders.held())
    },
  })
  return {
    warned: new Counter({
      name: 'tollgate_ingest_events_warned_total',
      help: 'Events kept that count for nothing or not as meant, by what was said of them',
      labelNames: ['reason'] as const,
      registers,
    }),
    rejected: new Counter({
      name: 'tollgate_ingest_events_rejected_total',
      help: 'Events refused one by one',
      labelNames: ['reason'] as const,
      registers,
    }),
    refused: new Counter({
      name: 'tollgate_ingest_requests_refused_total',
      help: 'Requests refused as a whole',
      labelNames: ['reason'] as const,
      registers,
    }),
  }
}
