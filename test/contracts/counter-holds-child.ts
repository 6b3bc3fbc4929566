import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createEmbeddedCounters } from '../../adapters/counters/embedded/embedded-counters.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'

/**
 * Ten callers reserve, settle and release without end until the process is killed. Prints each answered step: `held id`,
 * `settling id`, `released id`.
 */
const [path = '', run = ''] = process.argv.slice(2)
const now = 0 as InstantMs
const counters = await createEmbeddedCounters({
  path,
  clock: { ...systemClock, now: () => now },
  log: pino({ level: 'silent' }),
  registry: new Registry(),
})
const partition = 0 as Partition
const customer = { tenant: 'default' as TenantKey, customer: 'acme' as CustomerKey, partition }
const feature = 'runs' as FeatureKey
const cap = { definition: 'v1', periodStartMs: now, hardLimit: 10_000n }
let next = await counters.position(partition)
if (next === 0) await counters.track(customer, [{ feature, definition: 'v1', trackedFromMs: now, periods: [] }], next)

async function call(caller: number): Promise<void> {
  for (let turn = 0; ; turn++) {
    const id = `${run}-${caller}-${turn}`
    const outcome = await counters.reserve(customer, { id, feature, quantity: 10n, expiresAtMs: 1 as InstantMs, cap }, now)
    if (outcome.status !== 'held') return
    process.stdout.write(`held ${id}\n`)
    if (turn % 4 === 1) {
      await counters.releaseHold(customer, id, now)
      process.stdout.write(`released ${id}\n`)
    } else if (turn % 4 >= 2) {
      await counters.settleHold(customer, id, { quantity: 7n, occurredAtMs: now, report: '{}', eventsHash: null, beyond: 'none' }, now)
      process.stdout.write(`settling ${id}\n`)
      if (turn % 4 === 2) {
        const update = { kind: 'add', amount: 7n } as const
        const delta = { ...customer, feature, definition: 'v1', periodStartMs: now, update }
        const offset = next
        next = (next + 1) as Offset
        await counters.apply(partition, [{ offset, deltas: [delta], settles: [{ ...customer, id }] }])
      }
    }
  }
}

await Promise.all(Array.from({ length: 10 }, (_, caller) => call(caller)))
process.stdout.write('full\n')
