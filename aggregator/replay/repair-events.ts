import type { EventLog } from '../../adapters/event-log/event-log.ts'
import type { StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Offset, Partition } from '../../domain/identity.ts'
import { parsedData } from '../../domain/metering/event-data.ts'
import type { UsageEventBatch } from '../../domain/metering/usage-event.ts'
import { readUsageReport, USAGE_REPORT_TYPE } from '../../domain/metering/usage-report.ts'
import { checkLog, type WrongEvent } from '../verify/verify-log.ts'

export type RepairedEvents = {
  /** Events written because the log has them and `events` had not. */
  readonly restored: number
  /** Events removed because the log does not have them at that place, or has others. */
  readonly removed: number
  /** Missing reports that set usage: the delta that they added stood in the stored row alone. */
  readonly lost: number
}

/**
 * Makes `events` of a partition equal to the log, as far back as the log goes. Each step leaves more of it right, so that the
 * next run completes an interrupted one.
 */
export async function repairEvents(
  deps: {
    readonly eventLog: Pick<EventLog, 'range' | 'read'>
    readonly usageStore: Pick<UsageStore, 'findEvents' | 'scanEvents' | 'scanEventPrints' | 'write' | 'removeEvents'>
    readonly decode: (value: Uint8Array) => UsageEventBatch
  },
  { partition, toOffset }: { readonly partition: Partition; readonly toOffset: Offset },
): Promise<RepairedEvents> {
  const { usageStore } = deps
  const repaired = { restored: 0, removed: 0, lost: 0 }

  async function restore(events: readonly StoredEvent[]): Promise<void> {
    const complete = events.filter((event) => !lacksDelta(event))
    repaired.lost += events.length - complete.length
    repaired.restored += complete.length
    if (complete.length > 0) await usageStore.write({ events: complete, windows: [], positions: [] })
  }

  /** Removed before inserted: a row that is written afterwards is not removed with them. */
  async function replaceWrong(wrong: readonly WrongEvent[]): Promise<void> {
    await usageStore.removeEvents(
      partition,
      wrong.map(({ stored }) => stored),
    )
    repaired.removed += wrong.length
    await restore(wrong.flatMap(({ stored, logged }) => (logged === null ? [] : withDeltaOf(stored, logged))))
  }

  await checkLog({ ...deps, partition, toOffset, onDifference: () => undefined, onMissing: restore, onWrong: replaceWrong })
  return repaired
}

function withDeltaOf(stored: StoredEvent, logged: StoredEvent): StoredEvent {
  const { delta } = parsedData(stored.data) as { delta?: unknown }
  if (logged.type !== USAGE_REPORT_TYPE || stored.id !== logged.id || typeof delta !== 'string') return logged
  return { ...logged, data: JSON.stringify({ ...parsedData(logged.data), delta }) }
}

function lacksDelta({ type, data }: StoredEvent): boolean {
  if (type !== USAGE_REPORT_TYPE) return false
  const report = readUsageReport(parsedData(data))
  return report !== null && report.set !== null && report.quantity === null
}
