import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { tellMemory } from '../../../base/bounds/memory-owners.ts'

export type KafkaLogMetrics = ReturnType<typeof createKafkaLogMetrics>

/** The same names as the embedded log's, so that one dashboard fits both; `unacknowledgedBytes` is read at every scrape. */
export function createKafkaLogMetrics(registry: Registry, unacknowledgedBytes: () => number) {
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
      help: 'Failed commits, fetches and handler calls; most are repeated',
      labelNames: ['reason'] as const,
      registers,
    }),
    commitSeconds: new Histogram({
      name: 'tollgate_log_commit_seconds',
      help: 'Time until all in-sync replicas had a group of records',
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    }),
    rebalances: new Counter({
      name: 'tollgate_log_rebalances_total',
      help: 'Times the group of consumers shared its partitions anew',
      registers,
    }),
    assigned: new Gauge({ name: 'tollgate_log_assigned_partitions', help: 'Partitions this process consumes', registers }),
  }
}
