import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Clock } from '../base/clock.ts'
import { DAY_MS } from '../domain/time/durations.ts'
import type { Stage, StageHealth } from '../schemas/http/stage.ts'
import { type AggregatorDeps, type AggregatorHealth, createAggregator } from './aggregator.ts'
import { shareLookUps } from './dedupe/shared-look-ups.ts'
import { observeLag } from './lag-metrics.ts'

export type AggregatorKit = {
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly config: {
    readonly flushIntervalMs: number
    readonly windowBytesMax: number
    readonly logRetentionDays: number
    readonly stalledAfterMs: number
    readonly drainMaxMs: number
  }
  readonly stores: Pick<AggregatorDeps, 'eventLog' | 'usageStore' | 'counters' | 'changes' | 'meters' | 'customers' | 'entitlementInputs'>
}

/** The stage between the event log and the views. */
export function openAggregator({ clock, log, registry, config, stores }: AggregatorKit): Stage {
  const { eventLog, usageStore, counters, changes, meters, customers, entitlementInputs } = stores
  const aggregator = createAggregator({
    ...{ eventLog, counters, changes, meters, customers, entitlementInputs, clock, registry },
    usageStore: shareLookUps(usageStore, clock),
    log: log.child({ stage: 'aggregator' }),
    onUndecodable: (record, reason) => eventLog.setAside(record, reason),
    options: {
      flushIntervalMs: config.flushIntervalMs,
      windowBytesMax: config.windowBytesMax,
      logRetentionMs: config.logRetentionDays * DAY_MS,
      stalledAfterMs: config.stalledAfterMs,
      drainTimeoutMs: config.drainMaxMs,
    },
  })
  observeLag(registry, aggregator)
  return {
    name: 'aggregator',
    start: aggregator.start,
    drain: aggregator.drain,
    stop: aggregator.stop,
    health: () => stageHealth(aggregator.health()),
  }
}

function stageHealth({ partitions, isStalled, reasons }: AggregatorHealth): StageHealth {
  return {
    ok: !isStalled,
    reasons: [...reasons],
    details: {
      lagRecords: partitions.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
      partitions: partitions.map(({ partition, lagRecords, stalledForMs }) => ({ partition, lagRecords, stalledForMs })),
    },
  }
}
