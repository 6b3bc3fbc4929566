import { describe, expect, test } from 'vitest'
import type { MeterActivation, StoredEvent, WindowRow } from '../../adapters/usage-store/usage-store.ts'
import { BACKFILL_CHUNK_BASE } from '../../adapters/usage-store/usage-store.ts'
import { type EntitlementInputs, NO_ENTITLEMENT_INPUTS } from '../../domain/entitlements/entitlement-inputs.ts'
import { trackedFeatures } from '../../domain/entitlements/entitlements.ts'
import type {
  CustomerKey,
  FeatureKey,
  InstantMs,
  MeterKey,
  Offset,
  Partition,
  PlanKey,
  ProductKey,
  SubscriptionId,
  TenantKey,
} from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { createCounterCheck } from './verify-counters.ts'
import { createRepeatCheck } from './verify-repeats.ts'
import { createWindowCheck } from './verify-windows.ts'

const NANO = 1_000_000_000n
const CHUNK_RECORDS = 10
const partition = 0 as Partition
const tenant = 'default' as TenantKey
const meter: Meter = {
  tenant,
  key: 'tokens' as MeterKey,
  revision: 1,
  eventType: 'llm.request',
  aggregation: 'sum',
  value: ['tokens'],
  dimensions: { model: 'model' },
}
const MINUTE = 60_000

function storedEvent(offset: number, tokens: number | string, more: Partial<StoredEvent> = {}): StoredEvent {
  return {
    tenant,
    partition,
    offset: offset as Offset,
    index: 0,
    receivedAtMs: 5_000 as InstantMs,
    id: `e${offset}`,
    source: 'default',
    type: 'llm.request',
    customer: 'acme' as CustomerKey,
    subject: null,
    occurredAtMs: (MINUTE + 1_000) as InstantMs,
    data: JSON.stringify({ tokens, model: 'm' }),
    attributes: null,
    ...more,
  }
}

function windowRow(chunk: number, version: number, events: number, sum: bigint): WindowRow {
  const value = sum * NANO
  return {
    tenant,
    meter: meter.key,
    revision: 1,
    customer: 'acme' as CustomerKey,
    windowStartMs: MINUTE as InstantMs,
    dimensions: { model: 'm' },
    partition,
    chunk,
    version: version as Offset,
    events,
    sum: value,
    min: value,
    max: value,
    latest: null,
    unique: [],
  }
}

const activation: MeterActivation = { tenant, meter: meter.key, revision: 1, partition, fromOffset: 0 as Offset, backfilled: true }

function windowDifferences(options: { position: number; rows: WindowRow[]; events: StoredEvent[]; activations?: MeterActivation[] }) {
  const check = createWindowCheck({
    partition,
    position: options.position as Offset,
    chunkRecords: CHUNK_RECORDS,
    meters: [meter],
    activations: options.activations ?? [activation],
  })
  check.addStored(options.rows)
  for (const event of options.events) check.addEvent(event, JSON.parse(event.data) as object)
  return { unchecked: check.unchecked, differences: check.endSlice() }
}

describe('windows', () => {
  test.each([
    { name: 'chunks add up', position: 25, rows: [windowRow(0, 3, 1, 5n), windowRow(1, 12, 1, 7n)], differences: 0 },
    {
      name: 'live and backfilled rows add up',
      position: 25,
      rows: [windowRow(BACKFILL_CHUNK_BASE, 3, 1, 5n), windowRow(1, 12, 1, 7n)],
      fromOffset: 10,
      differences: 0,
    },
    { name: 'a chunk is missing', position: 25, rows: [windowRow(0, 3, 1, 5n)], differences: 1 },
    { name: 'a sum is off by one', position: 25, rows: [windowRow(0, 3, 1, 5n), windowRow(1, 12, 1, 8n)], differences: 1 },
    { name: 'an event too many', position: 25, rows: [windowRow(0, 3, 2, 5n), windowRow(1, 12, 1, 7n)], differences: 1 },
    { name: 'events after the position have no window yet', position: 12, rows: [windowRow(0, 3, 1, 5n)], differences: 0 },
    {
      name: 'a flush cut short wrote windows but no position',
      position: 10,
      rows: [windowRow(0, 3, 1, 5n), windowRow(1, 12, 1, 7n)],
      differences: 0,
    },
  ])('$name: $differences differences', ({ position, rows, differences, fromOffset = 0 }) => {
    const events = [storedEvent(3, 5), storedEvent(12, 7), storedEvent(4, 'many')]
    const activations = [{ ...activation, fromOffset: fromOffset as Offset }]
    expect(windowDifferences({ position, rows, events, activations }).differences).toHaveLength(differences)
  })

  test.each([
    { name: 'what has no window of its own is in (other)', ofModel: 5n, ofOther: 9n, differences: 0 },
    { name: 'something of it is lost', ofModel: 5n, ofOther: 7n, differences: 1 },
    { name: 'a window of its own lost something to it', ofModel: 4n, ofOther: 10n, differences: 2 },
  ])('beyond the bound on series: $name: $differences differences', ({ ofModel, ofOther, differences }) => {
    const of = (model: string) => ({ data: JSON.stringify({ tokens: model === 'm' ? 5 : model === 'x' ? 7 : 2, model }) })
    const rows = [windowRow(0, 3, 1, ofModel), { ...windowRow(0, 5, 2, ofOther), dimensions: { model: '(other)' } }]
    const events = [storedEvent(3, 0, of('m')), storedEvent(4, 0, of('x')), storedEvent(5, 0, of('y'))]
    expect(windowDifferences({ position: 9, rows, events }).differences).toHaveLength(differences)
  })

  test('a window of nothing is a difference', () => {
    expect(windowDifferences({ position: 5, rows: [windowRow(0, 3, 1, 5n)], events: [] }).differences).toMatchObject([
      { view: 'usage_windows', expected: '0 events, nothing', found: '1 events, {"kind":"add","amount":"5000000000"}' },
    ])
  })

  test('a meter that is being backfilled is not checked, and named', () => {
    const activations = [{ ...activation, backfilled: false }]
    const { differences, unchecked } = windowDifferences({ position: 25, rows: [], events: [storedEvent(3, 5)], activations })
    expect([differences, unchecked]).toEqual([[], [meter]])
  })
})

describe('counters', () => {
  const inputs: EntitlementInputs = {
    ...NO_ENTITLEMENT_INPUTS,
    subscriptions: [
      {
        id: 'sub_1' as SubscriptionId,
        customer: 'acme' as CustomerKey,
        startMs: 0 as InstantMs,
        anchorMs: 0 as InstantMs,
        endMs: null,
        phases: [{ plan: 'pro' as PlanKey, planVersion: 1, startMs: 0 as InstantMs, endMs: null }],
      },
    ],
    planVersions: [
      {
        plan: 'pro' as PlanKey,
        version: 1,
        product: 'p' as ProductKey,
        name: 'Pro',
        currency: 'USD',
        interval: 'month',
        baseFee: null,
        charges: [],
        entitlements: [
          {
            feature: 'tokens' as FeatureKey,
            limit: '10',
            limitType: 'hard',
            reset: 'hour',
            anchor: 'calendar',
            rollover: null,
            value: null,
          },
        ],
      },
    ],
    features: [{ key: 'tokens' as FeatureKey, name: 'Tokens', type: 'metered', meter: meter.key, filter: { model: ['m'] }, unit: null }],
    meters: [meter],
  }
  const definition = trackedFeatures(inputs, 0 as InstantMs)[0]?.definition ?? ''

  function counterDifferences(amount: bigint, events: StoredEvent[], trackedDefinition = definition) {
    const check = createCounterCheck()
    const counter = {
      feature: 'tokens' as FeatureKey,
      definition: trackedDefinition,
      trackedFromMs: 0 as InstantMs,
      periods: [{ startMs: 0 as InstantMs, state: { kind: 'add' as const, amount: amount * NANO } }],
    }
    check.addTracked({ tenant, customer: 'acme' as CustomerKey, partition }, [counter], inputs, 0 as InstantMs)
    for (const event of events) check.addEvent(event, JSON.parse(event.data) as object)
    return [...check.differences()]
  }
  const events = [
    storedEvent(1, 2),
    storedEvent(2, 3),
    storedEvent(3, 9, { data: '{"tokens":9,"model":"other"}' }),
    storedEvent(4, 9, { type: 'x' }),
  ]

  test('the events that the filter lets through add up', () => {
    expect(counterDifferences(5n, events)).toEqual([])
  })
  test('a counter that is off is named with its period', () => {
    expect(counterDifferences(6n, events)).toMatchObject([
      { view: 'counters', where: 'feature tokens, customer acme, period from 1970-01-01T00:00:00.000Z' },
    ])
  })
  test('a period that has usage but no counter is a difference', () => {
    const later = storedEvent(9, 1, { occurredAtMs: 3_600_000 as InstantMs })
    expect(counterDifferences(5n, [...events, later])).toHaveLength(1)
  })
  test('a customer whose events may or may not be counted is not compared', () => {
    const check = createCounterCheck()
    const counter = { feature: 'tokens' as FeatureKey, definition, trackedFromMs: 0 as InstantMs, periods: [] }
    check.addTracked({ tenant, customer: 'acme' as CustomerKey, partition }, [counter], inputs, 0 as InstantMs)
    check.addUncertain(storedEvent(1, 2, { customer: 'other' as CustomerKey }))
    expect([check.counters(), check.uncertain()]).toEqual([1, 0])
    check.addEvent(storedEvent(1, 2), { tokens: 2, model: 'm' })
    check.addUncertain(storedEvent(2, 3))
    expect([check.counters(), check.uncertain(), [...check.differences()]]).toEqual([0, 1, []])
  })
  test('nobody reads a counter under an old definition', () => {
    expect(counterDifferences(6n, events, 'older')).toEqual([])
  })
})

test('an event stands once within the horizon', () => {
  const repeats = createRepeatCheck(1_000)
  const at = (offset: number, receivedAtMs: number) => storedEvent(offset, 1, { id: 'same', receivedAtMs: receivedAtMs as InstantMs })
  expect(repeats.add(at(1, 0))).toBeNull()
  // A row that a restart wrote again.
  expect(repeats.add(at(1, 0))).toBeNull()
  expect(repeats.add(at(2, 1_000))).toMatchObject({ view: 'events', expected: 'once, at (1, 0)', found: 'again at (2, 0)' })
  expect(repeats.add(at(3, 2_001))).toBeNull()
  expect(repeats.add({ ...at(4, 2_001), source: 'other' })).toBeNull()
})
