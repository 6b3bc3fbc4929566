import type { Logger } from 'pino'
import type { Counters } from '../../adapters/counters/counters.ts'
import { Fault } from '../../base/fault.ts'
import type { MaybePromise } from '../../base/maybe-promise.ts'
import type { Offset, Partition } from '../../domain/identity.ts'

/**
 * The counters as one partition's aggregator uses them. The aggregator knows how far it brought them, so only it can say whether
 * a restarted store has lost something: then the partition starts anew at that position, and requested counters are computed from
 * the usage store. Until it has confirmed them nobody gets an answer.
 */
export function createConfirmedCounters(
  counters: Counters,
  log: Logger,
  from: { readonly partition: Partition; readonly countersNext: Offset },
): Counters {
  const { partition } = from
  let next = from.countersNext
  let confirming: Promise<void> | null = null

  async function confirm(): Promise<void> {
    if (await counters.confirm(partition, next)) return
    await counters.reset(partition, next)
    log.warn({ partition, next }, 'counters were lost and start anew')
  }

  async function confirmed<Value>(attempt: () => MaybePromise<Value>): Promise<Value> {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof Fault && error.code === 'counters_rebuilding')) throw error
      confirming ??= confirm().finally(() => {
        confirming = null
      })
      await confirming
      return attempt()
    }
  }

  return {
    ...counters,
    async apply(_partition, records) {
      await confirmed(() => counters.apply(partition, records))
      const last = records.at(-1)
      if (last !== undefined && last.offset >= next) next = (last.offset + 1) as Offset
    },
    track: (...tracked) => confirmed(() => counters.track(...tracked)),
    read: (...wanted) => confirmed(() => counters.read(...wanted)),
    takeTrackingRequests: () => confirmed(() => counters.takeTrackingRequests(partition)),
  }
}
