import { Counter, type Registry } from 'prom-client'
import type { HoldState } from '../../../domain/reservations/hold.ts'
import type { DropReason } from '../drop-reason.ts'

export type RedisCountersMetrics = {
  applied(deltas: Readonly<Record<DropReason | 'counted', number>>): void
  ended(state: HoldState['kind'], holds: number): void
  unconfirmed(): void
}

/** Metrics that both implementations have carry the names of the embedded counters'. */
export function createRedisCountersMetrics(registry: Registry): RedisCountersMetrics {
  const deltas = new Counter({
    name: 'tollgate_counter_deltas_total',
    help: 'Deltas handed to the counters, by what became of them: counted, untracked, other_definition, before_tracking',
    labelNames: ['result'],
    registers: [registry],
  })
  const holdsEnded = new Counter({
    name: 'tollgate_holds_ended_total',
    help: 'Holds that ended, by how: settled (its usage was counted), released, expired',
    labelNames: ['state'],
    registers: [registry],
  })
  const unconfirmed = new Counter({
    name: 'tollgate_counters_unconfirmed_total',
    help: 'Requests of counters that were refused because Redis may have lost something and the aggregator has not confirmed them yet',
    registers: [registry],
  })
  return {
    applied(results) {
      for (const [result, count] of Object.entries(results)) if (count > 0) deltas.inc({ result }, count)
    },
    ended(state, holds) {
      if (holds > 0) holdsEnded.inc({ state }, holds)
    },
    unconfirmed: () => unconfirmed.inc(),
  }
}
