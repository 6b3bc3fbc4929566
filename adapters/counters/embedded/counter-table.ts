import { invariant } from '../../../base/invariant.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../../domain/identity.ts'
import type { CounterDelta, CustomerRef, TrackedCounter } from '../counters.ts'
import type { DropReason } from '../drop-reason.ts'
import { counterRow, periodRows, positionRow, type ReadRow, removedCounterRows, removedPeriodRows } from './counter-rows.ts'
import type { HoldTable, UnwrittenHolds } from './hold-table.ts'
import { countIn, type LiveCounter, type LivePeriod, newPeriod, prunePeriods } from './live-counter.ts'
import type { CounterRow } from './stored-row.ts'

/** All counters of this process in memory, and which of them are not on disk yet. No call waits, so each is atomic. */
export class CounterTable {
  readonly #partitions = new Map<Partition, PartitionCounters>()
  readonly holds: HoldTable
  #unwritten = noChanges()
  #counterCount = 0

  constructor(holds: HoldTable) {
    this.holds = holds
  }

  get counterCount(): number {
    return this.#counterCount
  }

  /** Loads one row of `CounterFile.rows`, to be called in that order. */
  load(row: ReadRow): void {
    if (row.kind === 'position') {
      this.#partition(row.partition).next = row.next
      return
    }
    if (row.kind === 'hold') {
      this.holds.load(row.hold)
      return
    }
    if (row.kind === 'counter') {
      const { kind: _, ...counter } = row
      this.#add({ ...counter, periods: new Map() })
      return
    }
    const counter = this.of(row)?.get(row.feature)
    invariant(counter !== undefined, 'a period is written with its counter')
    const known = counter.periods.get(row.startMs)
    if (known !== undefined) countIn(known, row.state)
    const period = known ?? newPeriod(counter, row.startMs, row.state)
    period.rows = row.row + 1
    if (period.tally.kind === 'unique') period.valuesWritten = period.tally.values.length
  }

  position(partition: Partition): Offset {
    return this.#partitions.get(partition)?.next ?? (0 as Offset)
  }

  moveTo(partition: Partition, next: Offset): void {
    this.#partition(partition).next = next
    this.#unwritten.positions.add(partition)
  }

  /** The reason why the delta was dropped; null when it was counted. */
  count(partition: Partition, delta: CounterDelta, nowMs: InstantMs): DropReason | null {
    const counter = this.of({ partition, tenant: delta.tenant, customer: delta.customer })?.get(delta.feature)
    if (counter === undefined) return 'untracked'
    if (counter.definition !== delta.definition) return 'other_definition'
    if (delta.periodStartMs < counter.trackedFromMs) return 'before_tracking'
    const known = counter.periods.get(delta.periodStartMs)
    if (known !== undefined) {
      countIn(known, delta.update)
      this.#unwritten.periods.add(known)
      return null
    }
    this.#unwritten.periods.add(newPeriod(counter, delta.periodStartMs, delta.update))
    const pruned = prunePeriods(counter, nowMs)
    if (pruned.length > 0) this.#unwritten.counters.add(counter)
    for (const period of pruned) {
      this.#unwritten.periods.delete(period)
      this.#unwritten.removed.push(...removedPeriodRows(period))
    }
    return null
  }

  replace(customer: CustomerRef, counters: readonly TrackedCounter[]): void {
    for (const counter of this.of(customer)?.values() ?? []) this.#drop(counter)
    this.#partitions.get(customer.partition)?.tenants.get(customer.tenant)?.delete(customer.customer)
    for (const { periods, ...tracked } of counters) {
      const counter: LiveCounter = { ...customer, ...tracked, periods: new Map() }
      this.#add(counter)
      this.#unwritten.counters.add(counter)
      for (const { startMs, state } of periods) this.#unwritten.periods.add(newPeriod(counter, startMs, state))
    }
  }

  /** Clears the counts; holds stay. */
  clear(partition: Partition): void {
    for (const customers of this.#partitions.get(partition)?.tenants.values() ?? []) {
      for (const counters of customers.values()) for (const counter of counters.values()) this.#drop(counter)
    }
    this.#partitions.delete(partition)
  }

  of({ partition, tenant, customer }: CustomerRef): ReadonlyMap<FeatureKey, LiveCounter> | undefined {
    return this.#partitions.get(partition)?.tenants.get(tenant)?.get(customer)
  }

  customers(partition: Partition): CustomerRef[] {
    const refs: CustomerRef[] = []
    for (const [tenant, customers] of this.#partitions.get(partition)?.tenants ?? []) {
      for (const customer of customers.keys()) refs.push({ tenant, customer, partition })
    }
    return refs
  }

  /**
   * The rows that bring the disk up to this moment, holds included; a call of `wrote` or `giveBack` must follow. Null when the
   * disk is up to date.
   */
  takeUnwritten(): Unwritten | null {
    const changes = this.#unwritten
    const { removed, positions, counters, periods } = changes
    const holds = this.holds.takeUnwritten()
    const isCounted = removed.length > 0 || positions.size > 0 || counters.size > 0 || periods.size > 0
    if (!isCounted && holds.rows.length === 0) return null
    this.#unwritten = noChanges()
    // Removals come first: the same key may have been written anew since.
    const rows = [...removed, ...holds.rows]
    for (const counter of counters) rows.push(counterRow(counter))
    for (const period of periods) rows.push(...periodRows(period))
    for (const partition of positions) rows.push(positionRow(partition, this.position(partition)))
    return { rows, changes, holds }
  }

  wrote({ holds }: Unwritten): void {
    this.holds.wrote(holds)
  }

  /** The write failed, so the next one must include these changes too, where they still exist. */
  giveBack({ changes, holds }: Unwritten): void {
    this.holds.giveBack(holds)
    const since = this.#unwritten
    this.#unwritten = noChanges()
    this.#unwritten.removed.push(...changes.removed, ...since.removed)
    for (const partition of [...changes.positions, ...since.positions]) this.#unwritten.positions.add(partition)
    for (const counter of [...changes.counters, ...since.counters]) {
      if (this.#holds(counter)) this.#unwritten.counters.add(counter)
    }
    for (const period of [...changes.periods, ...since.periods]) {
      if (!this.#holds(period.counter) || period.counter.periods.get(period.startMs) !== period) continue
      // Nobody knows how many of its values are on disk, so all are written again.
      period.valuesWritten = 0
      this.#unwritten.periods.add(period)
    }
  }

  #partition(partition: Partition): PartitionCounters {
    const known = this.#partitions.get(partition)
    if (known !== undefined) return known
    const made: PartitionCounters = { next: 0 as Offset, tenants: new Map() }
    this.#partitions.set(partition, made)
    return made
  }

  #add(counter: LiveCounter): void {
    const { tenants } = this.#partition(counter.partition)
    const customers = tenants.get(counter.tenant) ?? new Map<CustomerKey, Map<FeatureKey, LiveCounter>>()
    const counters = customers.get(counter.customer) ?? new Map<FeatureKey, LiveCounter>()
    tenants.set(counter.tenant, customers.set(counter.customer, counters.set(counter.feature, counter)))
    this.#counterCount++
  }

  #drop(counter: LiveCounter): void {
    this.#unwritten.counters.delete(counter)
    for (const period of counter.periods.values()) this.#unwritten.periods.delete(period)
    this.#unwritten.removed.push(...removedCounterRows(counter))
    this.#counterCount--
  }

  #holds(counter: LiveCounter): boolean {
    return this.of(counter)?.get(counter.feature) === counter
  }
}

export type Unwritten = { readonly rows: readonly CounterRow[]; readonly changes: Changes; readonly holds: UnwrittenHolds }

type Changes = {
  readonly removed: CounterRow[]
  readonly positions: Set<Partition>
  readonly counters: Set<LiveCounter>
  readonly periods: Set<LivePeriod>
}

type PartitionCounters = { next: Offset; readonly tenants: Map<TenantKey, Map<CustomerKey, Map<FeatureKey, LiveCounter>>> }

function noChanges(): Changes {
  return { removed: [], positions: new Set(), counters: new Set(), periods: new Set() }
}
