import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CounterDelta, Counters, CustomerRef, TrackedCounter } from '../../adapters/counters/counters.ts'
import type { TrackingRequestBounds } from '../../adapters/counters/tracking-requests.ts'
import { NANO } from '../../domain/decimal.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { type CounterState, mergeCounterStates } from '../../domain/metering/counter-state.ts'
import { inLongRun } from '../support/long-run.ts'

/** A place where counters are kept: after a stop and another open they are the same. */
export type CountersPlace = {
  /** `now` is the counters' clock. */
  open(now: () => InstantMs): Promise<Counters>
  remove(): Promise<void>
}

/** Bounds that every place is opened with. */
export const TRACKING_REQUESTS: TrackingRequestBounds = { all: 5, ofTenant: 3 }

/** What every implementation must do. */
export function describeCounters(name: string, makePlace: () => Promise<CountersPlace>): void {
  describe(`counters: ${name}`, () => {
    let place: CountersPlace
    let counters: Counters
    let nowMs: number
    const open = () => place.open(() => nowMs as InstantMs)
    const reopen = async () => {
      await counters.stop()
      counters = await open()
    }
    beforeEach(async () => {
      nowMs = MARCH
      place = await makePlace()
      counters = await open()
    })
    afterEach(async () => {
      await counters.stop()
      await place.remove()
    })
    const used = async (customer: CustomerRef = ACME, periodStartMs = MARCH, feature = TOKENS) => {
      const [reading] = await counters.read(customer, [{ feature, periodStartMs: periodStartMs as InstantMs }], nowMs as InstantMs)
      return reading?.usedUnits
    }

    test('a partition never seen is at 0 and tracks nothing', async () => {
      expect(await counters.position(P0)).toBe(0)
      expect(await counters.tracked(ACME)).toEqual(new Map())
      expect(await used()).toBeUndefined()
      await counters.ping()
    })

    test('what is tracked counts from the given state on, and an absent period is zero', async () => {
      expect(await counters.track(ACME, [tracked({ periods: [{ startMs: MARCH, state: add(5n) }] })], at(0))).toBe(true)
      await counters.apply(P0, [record(0, delta({ update: add(2n) })), record(1, delta({ update: add(-4n) }))])
      expect(await used()).toBe(3n)
      expect(await used(ACME, APRIL)).toBe(0n)
      expect(await counters.tracked(ACME)).toEqual(new Map([[TOKENS, DEFINITION]]))
      expect(await counters.read(ACME, [{ feature: RUNS, periodStartMs: MARCH }], MARCH)).toEqual([undefined])
      expect(await counters.read(ACME, [{ feature: TOKENS, periodStartMs: MARCH }], MARCH)).toEqual([
        { definition: DEFINITION, trackedFromMs: FEBRUARY, usedUnits: 3n, heldUnits: 0n },
      ])
    })

    test('applied twice counts once', async () => {
      await counters.track(ACME, [tracked()], at(0))
      const records = [record(0, delta()), record(1, delta())]
      await counters.apply(P0, records)
      await counters.apply(P0, records)
      expect(await used()).toBe(2n)
      expect(await counters.position(P0)).toBe(2)
    })

    test('of records that overlap the position only the new ones count', async () => {
      await counters.track(ACME, [tracked()], at(0))
      await counters.apply(P0, [record(0, delta()), record(1, delta())])
      await counters.apply(P0, [record(1, delta({ update: add(100n) })), record(2, delta({ update: add(10n) }))])
      expect(await used()).toBe(12n)
      expect(await counters.position(P0)).toBe(3)
    })

    test('records without deltas and gaps between offsets move the position', async () => {
      await counters.apply(P0, [record(0), record(7)])
      expect(await counters.position(P0)).toBe(8)
    })

    test('partitions do not share a position, customers and tenants not a counter', async () => {
      const elsewhere = { ...ACME, partition: 1 as Partition, customer: 'elsewhere' as CustomerKey }
      const otherTenant = { ...ACME, tenant: 'other' as TenantKey }
      await counters.track(ACME, [tracked()], at(0))
      await counters.track(elsewhere, [tracked()], at(0))
      await counters.track(otherTenant, [tracked()], at(0))
      await counters.apply(P0, [record(4, delta())])
      expect(await counters.position(1 as Partition)).toBe(0)
      expect([await used(), await used(elsewhere), await used(otherTenant)]).toEqual([1n, 0n, 0n])
    })

    test.each([
      { why: 'an untracked customer', change: { customer: 'nobody' as CustomerKey } },
      { why: 'an untracked feature', change: { feature: RUNS } },
      { why: 'another definition', change: { definition: 'v2' } },
      { why: 'a period before tracking', change: { periodStartMs: JANUARY } },
    ])('a delta for $why is dropped and the position moves on', async ({ change }) => {
      await counters.track(ACME, [tracked()], at(0))
      await counters.apply(P0, [record(0, delta(change), delta())])
      expect(await counters.position(P0)).toBe(1)
      expect(await used()).toBe(1n)
    })

    test('a track as of a position that has moved on is stale', async () => {
      await counters.apply(P0, [record(0)])
      expect(await counters.track(ACME, [tracked()], at(0))).toBe(false)
      expect(await counters.tracked(ACME)).toEqual(new Map())
      expect(await counters.track(ACME, [tracked()], at(1))).toBe(true)
    })

    test('a track replaces all that was tracked for the customer', async () => {
      await counters.track(ACME, [tracked(), tracked({ feature: RUNS })], at(0))
      await counters.apply(P0, [record(0, delta(), delta({ feature: RUNS }))])
      await counters.track(ACME, [tracked({ definition: 'v2', periods: [{ startMs: MARCH, state: add(40n) }] })], at(1))
      expect(await counters.tracked(ACME)).toEqual(new Map([[TOKENS, 'v2']]))
      await counters.apply(P0, [record(1, delta(), delta({ feature: RUNS }), delta({ definition: 'v2' }))])
      expect(await used()).toBe(41n)
      await reopen()
      expect(await used()).toBe(41n)
      expect(await counters.tracked(ACME)).toEqual(new Map([[TOKENS, 'v2']]))
      await counters.track(ACME, [], at(2))
      await reopen()
      expect(await counters.tracked(ACME)).toEqual(new Map())
    })

    test.each<{ kind: string; states: CounterState[]; usedUnits: bigint }>([
      { kind: 'add', states: [add(3n), add(-1n)], usedUnits: 2n },
      { kind: 'add, 9 fractional digits', states: [add(1n), add(NANO / 10n)], usedUnits: 100_000_001n },
      { kind: 'add, beyond 2^63', states: [add(2n ** 63n - 1n), add(2n ** 63n), add(10n ** 29n)], usedUnits: 2n ** 64n - 1n + 10n ** 29n },
      { kind: 'max', states: [extreme('max', -7n), extreme('max', -3n), extreme('max', -5n)], usedUnits: -3n },
      { kind: 'min', states: [extreme('min', 7n), extreme('min', 3n), extreme('min', 5n)], usedUnits: 3n },
      { kind: 'average', states: [average(10n, 1), average(1n, 2)], usedUnits: 4n },
      { kind: 'average, rounded half away from zero', states: [average(1n, 1), average(0n, 1)], usedUnits: 1n },
      { kind: 'average, negative', states: [average(-1n, 1), average(0n, 1)], usedUnits: -1n },
      { kind: 'latest by event time', states: [latest(1n, 50, 0), latest(2n, 70, 1), latest(3n, 60, 2)], usedUnits: 2n },
      { kind: 'latest, same instant: by place in the log', states: [latest(9n, 50, 10), latest(2n, 50, 9, 5)], usedUnits: 9n },
      { kind: 'latest, same record: by index', states: [latest(9n, 50, 9, 1), latest(2n, 50, 9, 2)], usedUnits: 2n },
      { kind: 'unique', states: [unique('a', 'b'), unique('b'), unique('c')], usedUnits: 3n * NANO },
    ])('$kind counts, and is the same after a restart', async ({ states, usedUnits }) => {
      const merged = states.reduce(mergeCounterStates)
      await counters.track(ACME, [tracked(), tracked({ feature: RUNS, periods: [{ startMs: MARCH, state: merged }] })], at(0))
      for (const [offset, update] of states.entries()) await counters.apply(P0, [record(offset, delta({ update }))])
      expect(await used()).toBe(usedUnits)
      expect(await used(ACME, MARCH, RUNS)).toBe(usedUnits)
      await reopen()
      expect(await used()).toBe(usedUnits)
      expect(await scanned(counters)).toEqual([
        tracked({ feature: RUNS, periods: [{ startMs: MARCH, state: merged }] }),
        tracked({ periods: [{ startMs: MARCH, state: merged }] }),
      ])
    })

    test('a set that grows over many flushes and a restart in between is whole', async () => {
      await counters.track(ACME, [tracked()], at(0))
      for (let offset = 0; offset < 100; offset++) {
        await counters.apply(P0, [record(offset, delta({ update: unique(`v${offset}`, `v${offset + 1}`) }))])
        await counters.flush()
        if (offset === 50) await reopen()
      }
      await reopen()
      expect(await used()).toBe(101n * NANO)
    })

    test('after a restart position and counters are those of the last flush', async () => {
      await counters.track(ACME, [tracked()], at(0))
      await counters.apply(P0, [record(0, delta()), record(1, delta({ periodStartMs: APRIL }))])
      await reopen()
      expect(await counters.position(P0)).toBe(2)
      expect([await used(), await used(ACME, APRIL)]).toEqual([1n, 1n])
      await counters.apply(P0, [record(1, delta()), record(2, delta())])
      expect(await used()).toBe(2n)
    })

    test('old periods go when new ones begin, and are not answered for any more', async () => {
      await counters.track(ACME, [tracked({ trackedFromMs: JANUARY })], at(0))
      await counters.apply(P0, [record(0, delta({ periodStartMs: JANUARY }), delta({ periodStartMs: FEBRUARY }))])
      expect(await used(ACME, JANUARY)).toBe(1n)
      await counters.apply(P0, [record(1, delta({ periodStartMs: MARCH }))])
      const [reading] = await counters.read(ACME, [{ feature: TOKENS, periodStartMs: MARCH }], MARCH)
      expect(reading).toMatchObject({ trackedFromMs: FEBRUARY, usedUnits: 1n })
      await counters.apply(P0, [record(2, delta({ periodStartMs: JANUARY }))])
      await reopen()
      const [counter] = await scanned(counters)
      expect(counter?.trackedFromMs).toBe(FEBRUARY)
      expect(counter?.periods.map(({ startMs }) => startMs)).toEqual([FEBRUARY, MARCH])
    })

    test('a counter keeps as many periods as it was tracked with, over a restart too', async () => {
      nowMs = APRIL
      await counters.track(ACME, [tracked({ trackedFromMs: JANUARY, periodsKept: 3 }), tracked({ feature: RUNS })], at(0))
      await reopen()
      await counters.apply(P0, [record(0, ...[JANUARY, FEBRUARY, MARCH].map((periodStartMs) => delta({ periodStartMs })))])
      expect(await used(ACME, JANUARY)).toBe(1n)
      await counters.apply(P0, [record(1, delta({ periodStartMs: APRIL }))])
      const [reading] = await counters.read(ACME, [{ feature: TOKENS, periodStartMs: FEBRUARY }], APRIL)
      expect(reading).toMatchObject({ trackedFromMs: FEBRUARY, usedUnits: 1n })
      expect(await used(ACME, JANUARY)).toBe(0n)
    })

    test('a period ahead of the clock does not push out the one under way', async () => {
      nowMs = FEBRUARY
      await counters.track(ACME, [tracked({ trackedFromMs: JANUARY })], at(0))
      const periods = [JANUARY, FEBRUARY, MARCH, APRIL].map((periodStartMs) => delta({ periodStartMs }))
      await counters.apply(P0, [record(0, ...periods)])
      expect([await used(ACME, JANUARY), await used(ACME, FEBRUARY)]).toEqual([1n, 1n])
    })

    test('tracking requests are announced, taken once, and each customer stands once', async () => {
      const announced = new Promise<Partition>((resolve) => counters.onTrackingRequest(resolve))
      await counters.requestTracking(ACME)
      await counters.requestTracking(ACME)
      await counters.requestTracking({ ...ACME, customer: 'elsewhere' as CustomerKey, partition: 1 as Partition })
      expect(await announced).toBe(P0)
      expect(await counters.takeTrackingRequests(P0)).toEqual([ACME])
      expect(await counters.takeTrackingRequests(P0)).toEqual([])
      expect(await counters.takeTrackingRequests(1 as Partition)).toHaveLength(1)
    })

    test('more customers than may wait are refused, and told whose bound it is; one that waits already is none more', async () => {
      const ask = (tenant: string, n: number) =>
        counters.requestTracking({ tenant: tenant as TenantKey, customer: `c ${n}` as CustomerKey, partition: P0 })
      const code = 'too_many_first_balances'
      for (const n of [1, 2, 3, 3]) await ask('hog', n)
      await expect(ask('hog', 4)).rejects.toMatchObject({
        code,
        canRetry: true,
        publicText: expect.stringContaining('3 customers of this tenant'),
      })
      await ask('other', 1)
      await ask('third', 1)
      await expect(ask('fourth', 1)).rejects.toMatchObject({ code, publicText: expect.stringContaining('5 customers of all tenants') })
      expect(await counters.takeTrackingRequests(P0)).toHaveLength(5)
      for (const n of [4, 5, 6]) await ask('hog', n)
      await expect(ask('hog', 7)).rejects.toMatchObject({ code })
    })

    test('a scan gives every counter of its partition, as it stood when its turn came', async () => {
      await counters.track(ACME, [tracked()], at(0))
      await counters.track({ ...ACME, partition: 1 as Partition }, [tracked()], at(0))
      await counters.apply(P0, [record(0, delta({ update: unique('a') }))])
      const [counter] = await scanned(counters)
      await counters.apply(P0, [record(1, delta({ update: unique('b') }))])
      expect(counter).toEqual(tracked({ periods: [{ startMs: MARCH, state: unique('a') }] }))
      expect(await scanned(counters)).toHaveLength(1)
    })

    test('a reset forgets one partition and sets its position, and that lasts', async () => {
      const other = { ...ACME, partition: 1 as Partition }
      await counters.track(ACME, [tracked({ periods: [{ startMs: MARCH, state: unique('a') }] })], at(0))
      await counters.track(other, [tracked()], at(0))
      await counters.flush()
      await counters.reset(P0, 40 as Offset)
      await reopen()
      expect(await counters.position(P0)).toBe(40)
      expect(await counters.tracked(ACME)).toEqual(new Map())
      expect(await counters.tracked(other)).toEqual(new Map([[TOKENS, DEFINITION]]))
      await counters.reset(P0, 3 as Offset)
      expect(await counters.position(P0)).toBe(3)
    })

    test('many customers in one go, all there after a restart', async () => {
      const customers = Array.from({ length: 2000 }, (_, index) => ({ ...ACME, customer: `customer/${index}` as CustomerKey }))
      for (const customer of customers) await counters.track(customer, [tracked()], at(0))
      await counters.apply(P0, [record(0, ...customers.map(({ customer }, index) => delta({ customer, update: add(BigInt(index)) })))])
      await reopen()
      const readings = await Promise.all(customers.map((customer) => used(customer)))
      expect(readings).toEqual(customers.map((_, index) => BigInt(index)))
    })

    test('any cut of the records into calls, with repeats and restarts, counts the same', async () => {
      const step = fc.record({ records: fc.nat(7), back: fc.nat(5), restart: fc.boolean() })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
          await counters.reset(P0, at(0))
          await counters.track(ACME, [tracked()], at(0))
          let next = 0
          for (const { records, back, restart } of steps) {
            const from = Math.max(0, next - back)
            const offsets = Array.from({ length: next + records - from }, (_, index) => from + index)
            await counters.apply(
              P0,
              offsets.map((offset) => record(offset, delta({ update: add(3n ** BigInt(offset)) }))),
            )
            next += records
            if (restart) await reopen()
          }
          expect(await counters.position(P0)).toBe(next)
          expect(await used()).toBe((3n ** BigInt(next) - 1n) / 2n)
        }),
        { numRuns: inLongRun(25, 8) },
      )
    })
  })
}

const P0 = 0 as Partition
const ACME: CustomerRef = { tenant: 'default' as TenantKey, customer: 'acme' as CustomerKey, partition: P0 }
const TOKENS = 'tokens' as FeatureKey
const RUNS = 'runs' as FeatureKey
const DEFINITION = 'v1'
const JANUARY = Date.UTC(2024, 0) as InstantMs
const FEBRUARY = Date.UTC(2024, 1) as InstantMs
const MARCH = Date.UTC(2024, 2) as InstantMs
const APRIL = Date.UTC(2024, 3) as InstantMs

const at = (offset: number) => offset as Offset
const add = (amount: bigint): CounterState => ({ kind: 'add', amount })
const extreme = (kind: 'max' | 'min', value: bigint): CounterState => ({ kind, value })
const average = (sum: bigint, events: number): CounterState => ({ kind: 'average', sum, events })
const unique = (...values: string[]): CounterState => ({ kind: 'unique', values })
const latest = (value: bigint, occurredAtMs: number, offset: number, index = 0): CounterState => ({
  kind: 'latest',
  value,
  occurredAtMs: occurredAtMs as InstantMs,
  offset: offset as Offset,
  index,
})

const record = (offset: number, ...deltas: CounterDelta[]) => ({ offset: offset as Offset, deltas })

function delta(change: Partial<CounterDelta> = {}): CounterDelta {
  const { tenant, customer } = ACME
  return { tenant, customer, feature: TOKENS, definition: DEFINITION, periodStartMs: MARCH, update: add(1n), ...change }
}

function tracked(change: Partial<TrackedCounter> = {}): TrackedCounter {
  return { feature: TOKENS, definition: DEFINITION, trackedFromMs: FEBRUARY, periods: [], ...change }
}

/** ACME's counters in partition 0, by feature. */
async function scanned(counters: Counters): Promise<readonly TrackedCounter[]> {
  const found: TrackedCounter[] = []
  for await (const { customer, counters: ofCustomer } of counters.scan(P0)) {
    expect(customer).toEqual(ACME)
    found.push(...ofCustomer)
  }
  return found.sort((a, b) => a.feature.localeCompare(b.feature))
}
