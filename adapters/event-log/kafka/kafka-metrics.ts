import { Counter, Gauge, type Registry } from 'prom-client'
import { createLogMetrics } from '../log-metrics.ts'

export type KafkaLogMetrics = ReturnType<typeof createKafkaLogMetrics>

export function createKafkaLogMetrics(registry: Registry, unacknowledgedBytes: () => number) {
  const registers = [registry]
  return {
    ...createLogMetrics(registry, unacknowledgedBytes),
    rebalances: new Counter({
      name: 'tollgate_log_rebalances_total',
      help: 'Times the group of consumers shared its partitions anew',
      registers,
    }),
    assigned: new Gauge({ name: 'tollgate_log_assigned_partitions', help: 'Partitions this process consumes', registers }),
  }
}
