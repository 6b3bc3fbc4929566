import { invariant, unreachable } from '../../../base/invariant.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../../domain/identity.ts'
import type { CounterState } from '../../../domain/metering/counter-state.ts'
import type { Hold } from '../../../domain/reservations/hold.ts'
import { PERIODS_KEPT } from '../counters.ts'
import { decodeHold } from './hold-rows.ts'
import { type LiveCounter, type LivePeriod, sharedStateOf } from './live-counter.ts'
import type { CounterRow, RowKey, RowValue } from './stored-row.ts'

/** Kinds of rows that are loaded at the start, in this order. Rows of ended holds ('ended', 'forget') stay on disk. */
export const LOADED_KINDS = ['counter', 'hold', 'period', 'position'] as const

/** Goes up when the rows change shape. */
export const ROWS_FORMAT = 1
/** Two parts, as LMDB gives a key of one part back without its list. */
export const FORMAT_KEY: RowKey = ['format', 'counters']

export const positionRow = (partition: Partition, next: Offset): CounterRow => ({ key: ['position', partition], value: [next] })

export const counterRow = (counter: LiveCounter): CounterRow => ({
  key: counterKey(counter),
  value: [counter.definition, counter.trackedFromMs, counter.periodsKept ?? PERIODS_KEPT],
})

/**
 * The rows that bring a period's rows on disk up to date. A large set of unique values is not written again for each new value:
 * new values go to a row of their own, and after `UNIQUE_ROWS_MAX` such rows all values go into one.
 */
export function periodRows(period: LivePeriod): CounterRow[] {
  const state = sharedStateOf(period)
  if (state.kind !== 'unique') {
    period.rows = 1
    return [{ key: periodKey(period, 0), value: encodeState(state) }]
  }
  if (period.valuesWritten === state.values.length && period.rows > 0) return []
  if (period.valuesWritten > 0 && period.rows < UNIQUE_ROWS_MAX) {
    const row = {
      key: periodKey(period, period.rows),
      value: encodeState({ kind: 'unique', values: state.values.slice(period.valuesWritten) }),
    }
    period.rows++
    period.valuesWritten = state.values.length
    return [row]
  }
  const removed = removedPeriodRows(period)
  period.rows = 1
  period.valuesWritten = state.values.length
  return [...removed, { key: periodKey(period, 0), value: encodeState(state) }]
}

export function removedCounterRows(counter: LiveCounter): CounterRow[] {
  return [{ key: counterKey(counter), value: undefined }, ...[...counter.periods.values()].flatMap(removedPeriodRows)]
}

export function removedPeriodRows(period: LivePeriod): CounterRow[] {
  return Array.from({ length: period.rows }, (_, row) => ({ key: periodKey(period, row), value: undefined }))
}

export type ReadRow =
  | { readonly kind: 'hold'; readonly hold: Hold }
  | { readonly kind: 'position'; readonly partition: Partition; readonly next: Offset }
  | (CounterIdentity & Pick<LiveCounter, 'definition' | 'trackedFromMs' | 'periodsKept'> & { readonly kind: 'counter' })
  | (CounterIdentity & { readonly kind: 'period'; readonly startMs: InstantMs; readonly row: number; readonly state: CounterState })

/** Rows of one kind come back in the order of their keys: those of a period in the order in which they were written. */
export function readRow(key: RowKey, value: RowValue): ReadRow {
  const [kind, partition, tenant, customer, feature, startMs, row] = key
  switch (kind) {
    case 'hold':
      return { kind, hold: decodeHold({ tenant: partition as TenantKey, id: tenant as string }, value) }
    case 'position':
      return { kind, partition: partition as Partition, next: value[0] as Offset }
    case 'counter': {
      const [definition, trackedFromMs, periodsKept = PERIODS_KEPT] = value as [string, InstantMs, number?]
      return { kind, ...counterIdentity(partition, tenant, customer, feature), definition, trackedFromMs, periodsKept }
    }
    case 'period': {
      const identity = counterIdentity(partition, tenant, customer, feature)
      return { kind, ...identity, startMs: startMs as InstantMs, row: row as number, state: decodeState(value) }
    }
    default:
      throw new Error(`invariant broken: counters hold rows of known kinds, not ${String(kind)}`)
  }
}

type CounterIdentity = Pick<LiveCounter, 'partition' | 'tenant' | 'customer' | 'feature'>

const UNIQUE_ROWS_MAX = 32

const counterKey = ({ partition, tenant, customer, feature }: LiveCounter): RowKey => ['counter', partition, tenant, customer, feature]

function periodKey({ counter, startMs }: LivePeriod, row: number): RowKey {
  return ['period', counter.partition, counter.tenant, counter.customer, counter.feature, startMs, row]
}

function counterIdentity(...[partition, tenant, customer, feature]: (string | number | undefined)[]): CounterIdentity {
  return {
    partition: partition as Partition,
    tenant: tenant as TenantKey,
    customer: customer as CustomerKey,
    feature: feature as FeatureKey,
  }
}

/** Quantities are decimal strings, as JSON numbers would lose digits. */
function encodeState(state: CounterState): RowValue {
  switch (state.kind) {
    case 'add':
      return [state.kind, state.amount.toString()]
    case 'max':
    case 'min':
      return [state.kind, state.value.toString()]
    case 'average':
      return [state.kind, state.sum.toString(), state.events]
    case 'latest':
      return [state.kind, state.value.toString(), state.occurredAtMs, state.offset, state.index]
    case 'unique':
      return [state.kind, state.values]
    default:
      return unreachable(state)
  }
}

function decodeState(value: RowValue): CounterState {
  const [kind, quantity, ...rest] = value as [CounterState['kind'], string, ...number[]]
  const [first = 0, second = 0, third = 0] = rest
  switch (kind) {
    case 'add':
      return { kind, amount: BigInt(quantity) }
    case 'max':
    case 'min':
      return { kind, value: BigInt(quantity) }
    case 'average':
      return { kind, sum: BigInt(quantity), events: first }
    case 'latest':
      return { kind, value: BigInt(quantity), occurredAtMs: first as InstantMs, offset: second as Offset, index: third }
    case 'unique': {
      const values: unknown = value[1]
      invariant(Array.isArray(values), 'a row of unique values holds a list')
      return { kind, values }
    }
    default:
      return unreachable(kind)
  }
}
