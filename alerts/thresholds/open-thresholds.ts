import type { EventLog } from '../../adapters/event-log/event-log.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { createAlertEvaluation, type EvaluateAlertsDeps } from './evaluate-alerts.ts'

export type ThresholdsKit = Pick<EvaluateAlertsDeps, 'clock' | 'log' | 'entitlements'> & {
  readonly appliedCounters: EvaluateAlertsDeps['applied']
  readonly stores: Pick<EvaluateAlertsDeps, 'alerts' | 'changes' | 'counters'> & { readonly eventLog: Pick<EventLog, 'partitions'> }
}

/** Evaluates alerts where usage is counted: who applies to the counters knows whose have moved. */
export function openThresholds({ clock, log, entitlements, appliedCounters, stores }: ThresholdsKit): Stage {
  const { alerts, changes, counters, eventLog } = stores
  const own = { clock, log: log.child({ stage: 'thresholds' }), entitlements }
  const evaluation = createAlertEvaluation({
    ...{ ...own, alerts, changes, counters, applied: appliedCounters, partitions: eventLog.partitions },
  })
  return {
    name: 'thresholds',
    async start() {
      evaluation.start()
    },
    drain: () => evaluation.stop(),
    stop: () => evaluation.stop(),
    health: () => ({ ok: true, reasons: [...evaluation.troubles()] }),
  }
}
