import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createEmbeddedCounters } from '../../adapters/counters/embedded/embedded-counters.ts'
import { createLmdbEventLog } from '../../adapters/event-log/lmdb/lmdb-event-log.ts'
import { openChdbUsageStore } from '../../adapters/usage-store/engine/chdb-usage-store.ts'
import { createAggregator } from '../../aggregator/aggregator.ts'
import { NO_ENTITLEMENT_INPUTS } from '../../domain/entitlements/entitlement-inputs.ts'
import type { CustomerKey, InstantMs, MeterKey, Partition, TenantKey } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { encodeUsageEventBatch } from '../../schemas/avro/usage-event-batch.ts'

/**
 * Appends records of a thousand events, each with dimensions that no other event has, and aggregates the log. Every tenth event
 * has the dimensions of an earlier one. Prints the totals of three meters as JSON.
 */
const [directory = '', appendedRecords = '0', windowMegabytes = '', seriesMax = ''] = process.argv.slice(2)
const tenant = 'default' as TenantKey
const log = pino({ level: 'warn' }, pino.destination(2))
const registry = new Registry()
const eventLog = await createLmdbEventLog({ clock: systemClock, path: `${directory}/log`, partitions: 2, log, registry })
const usageStore = await openChdbUsageStore({ clock: systemClock, path: `${directory}/usage`, chunkRecords: 1_024, log, registry })
await usageStore.migrate()
const counters = await createEmbeddedCounters({ path: `${directory}/counters`, clock: systemClock, log, registry })
const meters = ['request', 'trace', 'session'].map(
  (dimension, revision): Meter => ({
    ...{ tenant, key: dimension as MeterKey, revision, eventType: 'call', aggregation: 'sum' },
    ...{ value: ['n'], dimensions: { [dimension]: dimension }, ...(seriesMax === '' ? {} : { seriesMax: Number(seriesMax) }) },
  }),
)
const range = await eventLog.range(0 as Partition)
for (let record = range.next as number; record < range.next + Number(appendedRecords); record++) {
  const events = Array.from({ length: 1_000 }, (_, index) => {
    const number = record * 1_000 + index
    const some = index % 10 === 9 ? Math.floor(number / 2) : number
    const data = { n: 1, request: `request-${some}`, trace: `trace-${some}`, session: `session-${some}` }
    return {
      ...{ id: `e${number}`, source: 'default', type: 'call', customer: 'acme' as CustomerKey, subject: null, attributes: null },
      ...{ occurredAtMs: (Date.UTC(2026, 0, 1) + (number % 3) * 60_000) as InstantMs, data: JSON.stringify(data) },
    }
  })
  await eventLog.append(0 as Partition, encodeUsageEventBatch({ tenant, events }), systemClock.now())
}
const aggregator = createAggregator({
  ...{ eventLog, usageStore, counters, clock: systemClock, log, registry },
  changes: { subscribe: () => undefined },
  meters: { all: async () => meters, get: async () => null },
  customers: { ensure: async () => undefined },
  entitlementInputs: { read: async (_, customers) => new Map(customers.map((customer) => [customer, NO_ENTITLEMENT_INPUTS])) },
  onUndecodable: () => Promise.reject(new Error('a record could not be decoded')),
  options: windowMegabytes === '' ? {} : { windowBytesMax: Number(windowMegabytes) * 1024 * 1024 },
})
await aggregator.start()
const { next } = await eventLog.range(0 as Partition)
while (((await usageStore.positions()).get(0 as Partition) ?? 0) < next) await systemClock.sleep(100)
const sums = await usageStore.query(
  `SELECT meter, toString(sum(events)) AS events, toString(sum(value_sum)) AS sum, toString(uniqExact(dimensions, window_start)) AS windows,
     toString(uniqExact(dimensions)) AS series
   FROM usage GROUP BY meter ORDER BY meter`,
)
const letGo = (await registry.getSingleMetric('tollgate_aggregator_windows_let_go_total')?.get())?.values[0]?.value ?? 0
process.stdout.write(`${JSON.stringify({ records: next, sums, letGo, rssMegabytes: Math.round(process.memoryUsage().rss / 1e6) })}\n`)
await aggregator.stop()
for (const store of [eventLog, usageStore, counters]) await store.stop()
