import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createEmbeddedCounters } from '../../adapters/counters/embedded/embedded-counters.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'

/** Counts until it is killed: record n adds 1 to `a`, 2 to `b` and a new value to `c`. Prints the position each time that it has become durable. */
const [path = ''] = process.argv.slice(2)
const clock = { ...systemClock, now: () => 0 as InstantMs }
const counters = await createEmbeddedCounters({ path, clock, log: pino({ level: 'silent' }), registry: new Registry(), flushIntervalMs: 1 })
const partition = 0 as Partition
const customer = { tenant: 'default' as TenantKey, customer: 'acme' as CustomerKey, partition }
const periodStartMs = 0 as InstantMs
const definition = 'v1'
const features = ['a', 'b', 'c'] as FeatureKey[]
let next = await counters.position(partition)
if (next === 0) {
  const tracked = features.map((feature) => ({ feature, definition, trackedFromMs: periodStartMs, periods: [] }))
  await counters.track(customer, tracked, next)
}
for (;;) {
  for (let record = 0; record < 20; record++) {
    const updates = [
      { kind: 'add', amount: 1n },
      { kind: 'add', amount: 2n },
      { kind: 'unique', values: [String(next)] },
    ] as const
    const deltas = updates.map((update, index) => ({
      ...customer,
      feature: features[index] ?? features[0],
      definition,
      periodStartMs,
      update,
    }))
    await counters.apply(partition, [{ offset: next, deltas: deltas as never }])
    next = (next + 1) as Offset
    await new Promise((resolve) => setImmediate(resolve))
  }
  await counters.flush()
  process.stdout.write(`${next}\n`)
}
