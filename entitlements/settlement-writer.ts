import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import type { Counters } from '../adapters/counters/counters.ts'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { Partition, TenantKey } from '../domain/identity.ts'
import type { UsageEvent } from '../domain/metering/usage-event.ts'
import type { Hold } from '../domain/reservations/hold.ts'
import { settledUsageEvents } from '../domain/reservations/reservation.ts'
import type { CountersCatchUp } from './counters-catch-up.ts'

/** Appends events of one customer, all of them in one record of the log. Resolves when they are durable; rejects with its fault. */
export type ReportUsage = (tenant: TenantKey, events: readonly UsageEvent[]) => Promise<void>

export type SettlementWriter = {
  /** Appends the usage of a settling hold. Rejects with the log's fault but keeps trying: the settlement stands. */
  report(hold: Hold): Promise<void>
  /** Appends what an earlier process settled and may not have appended. To be called once, at the start. */
  resumeSettles(): Promise<void>
  stop(): Promise<void>
}

const RETRY_INTERVAL_MS = 1_000
const HOLDS_PER_RETRY = 500

/** Brings the usage of settled reservations into the log, at least once each: repeats are dropped there. */
export function createSettlementWriter(deps: {
  readonly counters: Pick<Counters, 'settlingHolds'>
  readonly catchUp: CountersCatchUp
  readonly partitions: number
  readonly reportUsage: ReportUsage
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
}): SettlementWriter {
  const { counters, catchUp, partitions, reportUsage, clock, log } = deps
  const reports = new Counter({
    name: 'tollgate_settle_reports_total',
    help: 'Settled reservations handed to the event log, by when: at once, or again after a fault or a start; and those that failed',
    labelNames: ['result'],
    registers: [deps.registry],
  })
  /** Bounded by the number of holds. */
  const failed = new Map<string, Hold>()
  const stopping = new AbortController()
  let retrying: Promise<void> | null = null

  /** Each hold by itself, in the order given; rejects when one failed, once all have been tried. */
  async function append(holds: readonly Hold[], result: 'appended' | 'appended_again'): Promise<void> {
    const outcomes = await Promise.allSettled(holds.map((hold) => reportUsage(hold.tenant, settledUsageEvents(hold))))
    let failure: { readonly reason: unknown } | null = null
    for (const [index, hold] of holds.entries()) {
      const outcome = outcomes[index]
      if (outcome?.status === 'rejected') {
        failure = outcome
        failed.set(nameOf(hold), hold)
      } else failed.delete(nameOf(hold))
      reports.inc({ result: outcome?.status === 'rejected' ? 'failed' : result })
    }
    if (failure === null) return
    retrying ??= retry().finally(() => {
      retrying = null
    })
    throw failure.reason
  }

  async function retry(): Promise<void> {
    while (failed.size > 0 && (await hasWaited())) {
      const holds = [...failed.values()].slice(0, HOLDS_PER_RETRY)
      await append(holds, 'appended_again').catch((error: unknown) => {
        log.warn({ err: error, reservations: failed.size }, 'settled reservations could not be appended yet')
      })
    }
  }

  /** False when it is time to stop. */
  async function hasWaited(): Promise<boolean> {
    await clock.sleep(RETRY_INTERVAL_MS, stopping.signal)
    return !stopping.signal.aborted
  }

  /** Most of these events are in the log and only wait to be counted again, so counting goes first. */
  async function waitUntilCaughtUp(partition: Partition): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await catchUp.wait(partition)
        return
      } catch (error) {
        if (!(error instanceof Fault)) throw error
      }
    }
  }

  async function resume(partition: Partition): Promise<void> {
    await waitUntilCaughtUp(partition)
    let reservations = 0
    for await (const holds of counters.settlingHolds(partition)) {
      if (stopping.signal.aborted) return
      reservations += holds.length
      await append(holds, 'appended_again').catch((error: unknown) => {
        log.warn({ err: error, partition, reservations: holds.length }, 'settled reservations could not be appended yet')
      })
    }
    if (reservations > 0) log.info({ partition, reservations }, 'settled reservations appended again')
  }

  return {
    report: (hold) => append([hold], 'appended'),
    async resumeSettles() {
      await Promise.all(Array.from({ length: partitions }, (_, number) => resume(number as Partition)))
    },
    async stop() {
      stopping.abort()
      await retrying
    },
  }
}

const nameOf = ({ tenant, id }: Hold): string => `${tenant}\0${id}`
