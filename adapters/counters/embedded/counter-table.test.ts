import fc from 'fast-check'
import { test } from 'vitest'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../../domain/identity.ts'
import type { CounterState } from '../../../domain/metering/counter-state.ts'
import type { Hold } from '../../../domain/reservations/hold.ts'
import { inLongRun } from '../../../test/support/long-run.ts'
import { LOADED_KINDS, readRow } from './counter-rows.ts'
import { CounterTable } from './counter-table.ts'
import { endedHoldKey, type ForgetRow, type HoldName, readForgetKey } from './hold-rows.ts'
import { HoldTable } from './hold-table.ts'
import { snapshotOf } from './live-counter.ts'
import type { CounterRow, RowKey, RowValue } from './stored-row.ts'

const P0 = 0 as Partition
const NOW = 3 as InstantMs
const customers = ['a', 'b'].map((customer) => ({ tenant: 'default' as TenantKey, customer: customer as CustomerKey, partition: P0 }))

const step = fc.oneof(
  fc.record({ do: fc.constant('count'), customer: fc.nat(1), isUnique: fc.boolean(), period: fc.nat(5), value: fc.nat(200) }),
  fc.record({ do: fc.constant('track'), customer: fc.nat(1), features: fc.subarray(['sum', 'unique']) }),
  fc.record({ do: fc.constantFrom('hold', 'settle', 'applied', 'release', 'expire', 'forget'), customer: fc.nat(1), value: fc.nat(9) }),
  fc.record({ do: fc.constantFrom('reset', 'write', 'write', 'write', 'fail', 'fail after all') }),
)
type Step = { do: string; customer?: number; isUnique?: boolean; period?: number; value?: number; features?: string[] }

test('whatever writes fail in between, what is on disk after a good one is what is in memory', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const disk = new Map<string, RowValue>()
      const table = tableOn(disk)
      for (const [index, next] of steps.entries()) take(table, disk, next, index)
      write(table, disk)
      const rows = [...disk].sort(([a], [b]) => compareKeys(JSON.parse(a), JSON.parse(b)))
      const loaded = tableOn(disk)
      for (const kind of LOADED_KINDS) {
        for (const [key, value] of rows) if (JSON.parse(key)[0] === kind) loaded.load(readRow(JSON.parse(key), value))
      }
      return JSON.stringify(contentOf(loaded)) === JSON.stringify(contentOf(table))
    }),
    { numRuns: inLongRun(500, 125) },
  )
})

const tableOn = (disk: Map<string, RowValue>) =>
  new CounterTable(new HoldTable((name: HoldName) => disk.get(JSON.stringify(endedHoldKey(name)))))

function take(table: CounterTable, disk: Map<string, RowValue>, next: Step, index: number): void {
  const customer = customers[next.customer ?? 0]
  if (customer === undefined) return
  switch (next.do) {
    case 'count': {
      const update: CounterState = next.isUnique
        ? { kind: 'unique', values: [`v${next.value}`] }
        : { kind: 'add', amount: BigInt(next.value ?? 0) }
      const feature = (next.isUnique ? 'unique' : 'sum') as FeatureKey
      table.count(P0, { ...customer, feature, definition: 'v1', periodStartMs: next.period as InstantMs, update }, NOW)
      table.moveTo(P0, (index + 1) as Offset)
      return
    }
    case 'track': {
      const features = (next.features ?? []) as FeatureKey[]
      table.replace(
        customer,
        features.map((feature) => ({ feature, definition: 'v1', trackedFromMs: 0 as InstantMs, periods: [] })),
      )
      return
    }
    case 'hold':
    case 'settle':
    case 'release': {
      const hold = table.holds.find(holdName(next)) ?? newHold(next, index)
      const settlement = { requestedUnits: 2n, settledUnits: 1n, occurredAtMs: index as InstantMs, eventsHash: null, report: '{}' }
      if (hold.state.kind === 'settling') return
      if (next.do === 'hold') table.holds.set({ ...hold, state: { kind: 'held' } }, index as InstantMs)
      else if (next.do === 'settle') table.holds.set({ ...hold, state: { kind: 'settling', settlement } }, index as InstantMs)
      else table.holds.set({ ...hold, state: { kind: 'released' } }, index as InstantMs)
      return
    }
    case 'applied':
      table.holds.settled({ ...holdName(next), customer: customer.customer }, index as InstantMs)
      return
    case 'expire':
      table.holds.expire((next.value ?? 0) as InstantMs)
      return
    case 'forget':
      table.holds.forget(forgetRows(disk))
      return
    case 'reset':
      table.clear(P0)
      table.moveTo(P0, index as Offset)
      return
    case 'write':
      write(table, disk)
      return
    default: {
      const unwritten = table.takeUnwritten()
      if (unwritten === null) return
      // A write that failed at its very end may be on disk nevertheless.
      if (next.do === 'fail after all') writeRows(unwritten.rows, disk)
      table.giveBack(unwritten)
    }
  }
}

function write(table: CounterTable, disk: Map<string, RowValue>): void {
  const unwritten = table.takeUnwritten()
  if (unwritten === null) return
  writeRows(unwritten.rows, disk)
  table.wrote(unwritten)
}

const holdName = ({ customer = 0 }: Step): HoldName => ({ tenant: 'default' as TenantKey, id: `hold-${customer}` })

function newHold(next: Step, index: number): Hold {
  return {
    ...holdName(next),
    partition: P0,
    customer: 'a' as CustomerKey,
    feature: 'sum' as FeatureKey,
    quantity: BigInt(next.value ?? 0),
    createdAtMs: index as InstantMs,
    expiresAtMs: (next.value ?? 0) as InstantMs,
    state: { kind: 'held' },
  }
}

function forgetRows(disk: Map<string, RowValue>): ForgetRow[] {
  return [...disk.keys()]
    .map((key) => JSON.parse(key))
    .filter(([kind]) => kind === 'forget')
    .map(readForgetKey)
}

function writeRows(rows: readonly CounterRow[], disk: Map<string, RowValue>): void {
  for (const { key, value } of rows) {
    if (value === undefined) disk.delete(JSON.stringify(key))
    else disk.set(JSON.stringify(key), JSON.parse(JSON.stringify(value)))
  }
}

function contentOf(table: CounterTable) {
  const counters = customers.flatMap((customer) =>
    [...(table.of(customer)?.values() ?? [])].map(snapshotOf).sort((a, b) => a.feature.localeCompare(b.feature)),
  )
  const inOrder = counters.map((counter) => ({
    ...counter,
    periods: counter.periods.map(({ startMs, state }) => [
      startMs,
      state.kind === 'unique' ? [...state.values].sort() : state.kind === 'add' ? state.amount.toString() : state,
    ]),
  }))
  const holds = [0, 1].map((customer) => {
    const hold = table.holds.find(holdName({ do: 'hold', customer }))
    return hold && { ...hold, quantity: `${hold.quantity}`, state: hold.state.kind }
  })
  const held = [0, 3, 9].map(
    (startMs) => `${table.holds.heldUnits({ ...customers[0], partition: P0 } as never, 'sum' as FeatureKey, startMs as InstantMs)}`,
  )
  return { position: table.position(P0), counters: inOrder, holds, held, live: table.holds.liveCount }
}

function compareKeys(a: RowKey, b: RowKey): number {
  for (const [index, part] of a.entries()) {
    const other = b[index]
    if (other === undefined || part === other) continue
    return part < other ? -1 : 1
  }
  return a.length - b.length
}
