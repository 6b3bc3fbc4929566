import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { tellMemory } from '../../base/bounds/memory-owners.ts'

/** What every event log tells, so that one dashboard fits all; `unacknowledgedBytes` is read at every scrape. */
export function createLogMetrics(registry: Registry, unacknowledgedBytes: () => number) {
  const registers = [registry]
  tellMemory(registry, 'log_tail', unacknowledgedBytes)
  new Gauge({
    name: 'tollgate_log_unacknowledged_bytes',
    help: 'Appended and not yet durable',
    registers,
    collect() {
      this.set(unacknowledgedBytes())
    },
  })
  return {
    records: new Counter({ name: 'tollgate_log_records_total', help: 'Records made durable', registers }),
    bytes: new Counter({ name: 'tollgate_log_bytes_total', help: 'Bytes made durable', registers }),
    failures: new Counter({
      name: 'tollgate_log_failures_total',
      help: 'Failed commits, fetches and handler calls; on Kafka most are repeated',
      labelNames: ['reason'] as const,
      registers,
    }),
    commitSeconds: new Histogram({
      name: 'tollgate_log_commit_seconds',
      help: 'Time of one group commit: fsync included, or until all in-sync replicas had it',
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    }),
  }
}
