import { Gauge, type Registry } from 'prom-client'
import type { Aggregator } from './aggregator.ts'

/** The aggregator's figures in `/readyz` as metrics, for alerts: only partitions that this process has. */
export function observeLag(registry: Registry, aggregator: Pick<Aggregator, 'health'>): void {
  const labelNames = ['partition']
  new Gauge({
    name: 'tollgate_aggregator_lag_records',
    help: 'Records of the event log that are not folded yet',
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      for (const { partition, lagRecords } of aggregator.health().partitions) this.set({ partition }, lagRecords)
    },
  })
  new Gauge({
    name: 'tollgate_aggregator_stalled_seconds',
    help: 'For how long records have waited without one being folded or stored, or a step has failed; 0 when all is well',
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      for (const { partition, stalledForMs } of aggregator.health().partitions) this.set({ partition }, stalledForMs / 1_000)
    },
  })
}
