import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { eventsIn, type Flush } from '../adapters/usage-store/usage-store.ts'
import { tellMemory } from '../base/bounds/memory-owners.ts'
import { UNREADABLE_REASONS } from '../domain/metering/expressions/compiled-meter.ts'
import type { FoldTally } from './fold/record-fold.ts'

export type AggregatorMetrics = {
  /** Adds the counts of the fold's tally and sets it back to zero. */
  folded(tally: FoldTally, records: number): void
  lookedUp(events: number, repeats: number): void
  flushed(flush: Flush, tookMs: number): void
  undecodable(): void
  failed(operation: string): void
  tracked(customers: number): void
  backfilled(events: number): void
  letGoOfWindows(): void
  /** The function is called when metrics are collected. */
  observe(memory: () => { readonly filterBytes: number; readonly filtersIncomplete: number; readonly windowBytes: number }): void
}

export function createAggregatorMetrics(registry: Registry): AggregatorMetrics {
  const registers = [registry]
  const counter = <Label extends string = never>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name: `tollgate_aggregator_${name}`, help, labelNames, registers })

  const records = counter('records_folded_total', 'Log records folded')
  const events = counter('events_folded_total', 'Events folded, by what became of them', 'result')
  const unreadable = counter('event_values_unreadable_total', 'Events that a meter could not count, by reason', 'reason')
  const rounded = counter('event_values_rounded_total', 'Values of more than 9 fractional digits that a meter counted rounded')
  const other = counter(
    'event_values_other_total',
    'Values that a meter counted as (other), as the customer had more combinations of dimensions that day than the meter keeps (seriesMax)',
  )
  const undecodable = counter('records_undecodable_total', 'Log records that could not be decoded and were set aside')
  const lookUps = counter('dedupe_look_ups_total', 'Events that the dedupe filter could not tell, by what the usage store said', 'result')
  const written = counter('rows_written_total', 'Rows written to the usage store', 'table')
  const failures = counter('failures_total', 'Steps that failed and are tried again', 'operation')
  const trackings = counter('customers_tracked_total', 'Customers whose counters were computed anew')
  const backfills = counter('events_backfilled_total', 'Stored events counted again for a new meter')
  const windowsLetGo = counter('windows_let_go_total', 'Times that a partition let go of its stored windows, as all took too much memory')
  const flushSeconds = new Histogram({
    name: 'tollgate_aggregator_flush_seconds',
    help: 'Time of one flush to the usage store',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  })

  return {
    folded(tally, recordCount) {
      records.inc(recordCount)
      if (tally.accepted > 0) events.inc({ result: 'accepted' }, tally.accepted)
      if (tally.repeated > 0) events.inc({ result: 'repeated' }, tally.repeated)
      for (const reason of UNREADABLE_REASONS) {
        if (tally.unreadable[reason] > 0) unreadable.inc({ reason }, tally.unreadable[reason])
        tally.unreadable[reason] = 0
      }
      if (tally.rounded > 0) rounded.inc(tally.rounded)
      if (tally.other > 0) other.inc(tally.other)
      tally.other = 0
      tally.accepted = 0
      tally.repeated = 0
      tally.rounded = 0
    },
    lookedUp(count, repeats) {
      if (repeats > 0) lookUps.inc({ result: 'repeat' }, repeats)
      if (count > repeats) lookUps.inc({ result: 'new' }, count - repeats)
    },
    flushed(flush, tookMs) {
      written.inc({ table: 'events' }, eventsIn(flush))
      written.inc({ table: 'usage_windows' }, flush.windows.length)
      flushSeconds.observe(tookMs / 1000)
    },
    undecodable: () => undecodable.inc(),
    failed: (operation) => failures.inc({ operation }),
    tracked: (customers) => trackings.inc(customers),
    backfilled: (count) => backfills.inc(count),
    letGoOfWindows: () => windowsLetGo.inc(),
    observe(memory) {
      tellMemory(registry, 'dedupe_filter', () => memory().filterBytes)
      tellMemory(registry, 'windows', () => memory().windowBytes)
      const gauge = (name: string, help: string, read: () => number) =>
        new Gauge({
          ...{ name: `tollgate_aggregator_${name}`, help, registers },
          collect() {
            this.set(read())
          },
        })
      gauge('dedupe_filter_bytes', 'Memory of the dedupe filters', () => memory().filterBytes)
      gauge(
        'dedupe_filters_incomplete',
        'Partitions whose dedupe filter is not back since the start: until then the usage store is asked about every event',
        () => memory().filtersIncomplete,
      )
      gauge('window_bytes', 'Memory of the usage windows under way, all partitions together', () => memory().windowBytes)
    },
  }
}
