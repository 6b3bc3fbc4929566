import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Counters, CustomerRef } from '../../adapters/counters/counters.ts'
import { createEmbeddedCounters } from '../../adapters/counters/embedded/embedded-counters.ts'
import { type ChangeListeners, createChangeListeners } from '../../adapters/database/engine/change-listeners.ts'
import type { EntitlementInputsReader } from '../../adapters/database/entitlements/entitlement-inputs-reader.ts'
import type { Feature, PlanVersion } from '../../domain/catalog/plan.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import { type EntitlementInputs, NO_ENTITLEMENT_INPUTS } from '../../domain/entitlements/entitlement-inputs.ts'
import { trackedFeatures } from '../../domain/entitlements/entitlements.ts'
import { createPeriodLookup, keptPeriods, type TrackedFeature } from '../../domain/entitlements/tracked-feature.ts'
import type { CustomerKey, FeatureKey, GrantId, InstantMs, MeterKey, Partition, PlanKey, TenantKey } from '../../domain/identity.ts'
import { readEvent } from '../../domain/metering/event-reading.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { settledReservationIn } from '../../domain/metering/usage-report.ts'
import { isRefusal } from '../../domain/refusal.ts'
import type { Hold } from '../../domain/reservations/hold.ts'
import { settledUsageEvents } from '../../domain/reservations/reservation.ts'
import { createBalanceReader } from '../../entitlements/balance-reader.ts'
import { createEntitlementCache } from '../../entitlements/entitlement-cache.ts'
import { createReservations, type Reservations } from '../../entitlements/reservations.ts'
import type { SettledUsage } from '../../entitlements/settle-reservation.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { inLongRun } from '../../test/support/long-run.ts'
import { actOutAllowances, type ModelEvent } from '../../test/support/models/allowance-model.ts'
import { at } from '../../test/support/models/burn-down-story.ts'

/** Sequences per run; a failure prints its seed and the shortest one that fails. */
const RUNS = Number(process.env.TOLLGATE_RESERVATION_RUNS ?? inLongRun(120, 40))
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const START = at('2024-01-31')
const P0 = 0 as Partition
const TENANT = 'default' as TenantKey
const TOKENS = 'tokens' as FeatureKey
const LIMIT = 20
const log = pino({ level: 'silent' })

let counters: Counters
let path: string
let clockMs = START as number
const clock = { ...systemClock, now: () => clockMs as InstantMs }
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'tollgate-reservations-'))
  counters = await createEmbeddedCounters({ path, clock, log, registry: new Registry() })
  counters.onTrackingRequest(async () => {
    for (const { customer } of await counters.takeTrackingRequests(P0)) await trackers.get(customer)?.()
  })
})
const trackers = new Map<CustomerKey, () => Promise<void>>()
afterAll(async () => {
  await counters.stop()
  await rm(path, { recursive: true, force: true })
})

type Action =
  | { readonly kind: 'reserve' | 'reserve and settle'; readonly units: number; readonly atOnce: number }
  | { readonly kind: 'settle'; readonly which: number; readonly units: number; readonly hoursAgo: number }
  | { readonly kind: 'settle events'; readonly which: number; readonly units: readonly number[]; readonly hoursAgo: number }
  | { readonly kind: 'release' | 'apply' | 'reset'; readonly which: number }
  | { readonly kind: 'wait'; readonly hours: number }
  | {
      readonly kind: 'grant'
      readonly units: number
      readonly priority: number
      readonly inHours: number
      readonly forHours: number | null
    }

const actionArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('reserve', 'reserve', 'reserve and settle'),
      units: fc.integer({ min: 1, max: 9 }),
      atOnce: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('settle'),
      which: fc.nat(9),
      units: fc.integer({ min: 0, max: 15 }),
      hoursAgo: fc.constantFrom(0, 0, 1, 30),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('settle events'),
      which: fc.nat(9),
      units: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 3 }),
      hoursAgo: fc.constantFrom(0, 0, 1, 30),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('release', 'apply', 'apply', 'reset'), which: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait'), hours: fc.constantFrom(1, 12, 24, 400, 744) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('grant'),
      units: fc.integer({ min: 1, max: 12 }),
      priority: fc.constantFrom(100, 128, 200),
      inHours: fc.constantFrom(0, 1, 24),
      forHours: fc.constantFrom(null, 1, 36, 1000),
    }),
  },
) as fc.Arbitrary<Action>

test('whatever happens, a reservation is held exactly when plan, grants and rollover have room for it', async () => {
  let customers = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(actionArbitrary, { minLength: 3, maxLength: 25 }),
      fc.constantFrom('plain', 'rolling'),
      async (actions, plan) => {
        clockMs = START
        const world = createWorld(`c${customers++}` as CustomerKey, plan as PlanKey)
        for (const action of actions) await world.act(action)
      },
    ),
    { numRuns: RUNS },
  )
})

/** One customer whose only usage is what it settles. */
function createWorld(customer: CustomerKey, plan: PlanKey) {
  const ref: CustomerRef = { tenant: TENANT, customer, partition: P0 }
  let inputs = inputsOf(customer, plan)
  const listeners = createChangeListeners()
  const change = (changed: Partial<EntitlementInputs>) => {
    inputs = { ...inputs, ...changed }
    listeners.tell([{ tenant: TENANT, topic: 'overrides', key: customer }])
  }
  const applied: ModelEvent[] = []
  /** Records of the log that the counters have not applied: what each counts, and the hold that it ends. */
  const settling: { readonly id: string; readonly events: readonly ModelEvent[] }[] = []
  const held = new Map<string, bigint>()
  let followed: TrackedFeature | null = null
  trackers.set(customer, async () => {
    const [tracked] = trackedFeatures(inputs, clock.now())
    if (tracked === undefined) return
    followed = tracked
    const periods = keptPeriods(tracked, clock.now())
    const { feature, definition } = tracked
    const states = periodStates(tracked, applied)
    const counter = { feature, definition, trackedFromMs: periods[0]?.startMs ?? clock.now(), periods: states, periodsKept: 2_000 }
    await counters.track(ref, [counter], await counters.position(P0))
  })

  async function apply(): Promise<void> {
    const next = settling.shift()
    if (next === undefined) return
    const { id, events } = next
    applied.push(...events)
    const tracked = followed
    const deltas = tracked === null ? [] : events.map((event) => deltaOf(ref, tracked, event))
    await counters.apply(P0, [{ offset: await counters.position(P0), deltas, settles: [{ tenant: TENANT, customer, id }] }])
  }

  const reservations = openReservations(
    { read: async (_, [customer]) => new Map(customer === undefined ? [] : [[customer, inputs]]) },
    listeners,
    (id, events) => settling.push({ id, events }),
  )
  /** By the rules: settled units are used, wherever their event is. */
  const roomUnits = () => {
    const state = actOutAllowances(inputs, [...applied, ...settling.flatMap(({ events }) => events)], clockMs)
    return (state?.remaining ?? 0n) - [...held.values()].reduce((sum, units) => sum + units, 0n)
  }

  async function reserve(units: bigint, atOnce: number, settles: boolean): Promise<void> {
    const room = roomUnits()
    const isDelayed = settling.length > 0
    const outcomes = await Promise.all(
      Array.from({ length: atOnce }, () =>
        reservations.reserve(TENANT, null, {
          customer,
          feature: TOKENS,
          quantity: units,
          ttlMs: DAY_MS,
          settles: settles ? { properties: null } : null,
        }),
      ),
    )
    let left = room
    for (const outcome of outcomes) {
      if (isRefusal(outcome)) {
        expect(outcome.code).toBe('hard_limit_reached')
        continue
      }
      expect(left).toBeGreaterThanOrEqual(units)
      left -= units
      expect(outcome.hold.state.kind).toBe(settles ? 'settling' : 'held')
      if (!settles) held.set(outcome.hold.id, units)
    }
    // While usage is on its way to the counters, less may be allowed, for as long as that takes.
    if (!isDelayed && outcomes.some(isRefusal)) expect(left).toBeLessThan(units)
  }

  async function settle(which: number, units: bigint, hoursAgo: number): Promise<void> {
    const id = [...held.keys()][which % Math.max(1, held.size)]
    if (id === undefined) return
    const own = held.get(id) ?? 0n
    const room = roomUnits()
    const occurredAtMs = (clockMs - hoursAgo * HOUR_MS) as InstantMs
    const settled = await settledUnits(id, { quantity: units, occurredAtMs, properties: null })
    expect(settled).toBeGreaterThanOrEqual(units < own ? units : own)
    expect(settled - own).toBeLessThanOrEqual(room > 0n ? room : 0n)
  }

  /** Events count whole, whatever the hold and the limit; each at its time, from the reservation on. */
  async function settleEvents(which: number, units: readonly number[], hoursAgo: number): Promise<void> {
    const id = [...held.keys()][which % Math.max(1, held.size)]
    if (id === undefined) return
    const events = units.map((each, index) => ({
      ...{ id: null, type: 'e', data: { v: `0.00000000${each}` } },
      occurredAtMs: index === 0 ? ((clockMs - hoursAgo * HOUR_MS) as InstantMs) : null,
    }))
    const records = settling.length
    const sum = units.reduce((total, each) => total + each, 0)
    expect(await settledUnits(id, { events })).toBe(BigInt(sum))
    expect(settling.length).toBe(records + 1)
    expect(await settledUnits(id, { events })).toBe(BigInt(sum))
    settling.splice(records + 1)
  }

  async function settledUnits(id: string, usage: SettledUsage): Promise<bigint> {
    const settled = await reservations.settle(TENANT, id, usage)
    held.delete(id)
    if (isRefusal(settled) || !('settlement' in settled.hold.state)) throw new Error('a hold can be settled')
    return settled.hold.state.settlement.settledUnits
  }

  return {
    async act(action: Action): Promise<void> {
      for (const [id] of held) if ((await counters.hold(TENANT, id, clock.now()))?.state.kind !== 'held') held.delete(id)
      switch (action.kind) {
        case 'reserve':
        case 'reserve and settle':
          return await reserve(BigInt(action.units), action.atOnce, action.kind === 'reserve and settle')
        case 'settle events':
          return await settleEvents(action.which, action.units, action.hoursAgo)
        case 'settle':
          return await settle(action.which, BigInt(action.units), action.hoursAgo)
        case 'release': {
          const id = [...held.keys()][action.which % Math.max(1, held.size)]
          if (id === undefined) return
          await reservations.release(TENANT, id)
          held.delete(id)
          return
        }
        case 'apply':
          return await apply()
        case 'wait':
          clockMs += action.hours * HOUR_MS
          return
        case 'reset':
          return change({ manualResets: [...inputs.manualResets, { feature: TOKENS, atMs: clock.now() }] })
        case 'grant': {
          const effectiveAtMs = (clockMs + action.inHours * HOUR_MS) as InstantMs
          const expiresAtMs = action.forHours === null ? null : ((effectiveAtMs + action.forHours * HOUR_MS) as InstantMs)
          const grant = { id: `g${inputs.grants.length}` as GrantId, customer, feature: TOKENS, amount: BigInt(action.units) }
          const times = { effectiveAtMs, expiresAtMs, voidedAtMs: null, createdAtMs: clock.now() }
          change({ grants: [...inputs.grants, { ...grant, priority: action.priority, ...times }] })
        }
      }
    },
  }
}

function openReservations(
  entitlementInputs: EntitlementInputsReader,
  { subscribe }: Pick<ChangeListeners, 'subscribe'>,
  onSettled: (id: string, events: readonly ModelEvent[]) => void,
): Reservations {
  const registry = new Registry()
  const features = { get: async () => FEATURE }
  const changes = { subscribe, heardUpToMs: clock.now }
  const entitlements = createEntitlementCache({ entitlementInputs, features, changes, clock, registry })
  const catchUp = { wait: () => null }
  const allowanceOpenings = { save: async () => {} }
  const balances = createBalanceReader({ allowanceOpenings, entitlements, counters, catchUp, clock, partitions: 1, log, registry })
  const reporter = {
    async report(hold: Hold) {
      const record = settledUsageEvents(hold)
      expect(record.map(settledReservationIn).filter((id) => id !== null)).toEqual([hold.id])
      const events = record.flatMap((event) => {
        const read = readEvent(METER, event, JSON.parse(event.data) as object)
        return read === null || 'unreadable' in read.reading ? [] : [{ units: read.reading.value, atMs: event.occurredAtMs }]
      })
      onSettled(hold.id, events)
    },
    resumeSettles: async () => {},
    stop: async () => {},
  }
  const createId = () => `r${nextId++}`
  return createReservations({
    entitlements,
    meters: { get: async () => METER },
    balances,
    counters,
    catchUp,
    reporter,
    clock,
    partitions: 1,
    createId,
  })
}
let nextId = 0

function periodStates(tracked: TrackedFeature, events: readonly ModelEvent[]) {
  const cursor = createPeriodLookup(tracked)
  const used = Map.groupBy(events, ({ atMs }) => cursor.at(atMs as InstantMs).startMs)
  return [...used].map(([startMs, ofPeriod]) => ({
    startMs,
    state: { kind: 'add' as const, amount: ofPeriod.reduce((sum, { units }) => sum + units, 0n) },
  }))
}

function deltaOf(ref: CustomerRef, tracked: TrackedFeature, { atMs, units }: ModelEvent) {
  const { feature, definition } = tracked
  const periodStartMs = createPeriodLookup(tracked).at(atMs as InstantMs).startMs
  return { ...ref, feature, definition, periodStartMs, update: { kind: 'add' as const, amount: units } }
}

const METER: Meter = {
  ...{ tenant: TENANT, key: 'm' as MeterKey, revision: 1, eventType: 'e' },
  ...{ aggregation: 'sum', value: ['v'], dimensions: {} },
}
const FEATURE: Feature = { key: TOKENS, name: 'Tokens', type: 'metered', meter: 'm' as MeterKey, filter: {}, unit: null }

function inputsOf(customer: CustomerKey, plan: PlanKey): EntitlementInputs {
  const rollover = plan === 'rolling' ? { percent: '50', max: null } : null
  const terms = {
    feature: TOKENS,
    limit: `0.0000000${LIMIT}`,
    limitType: 'hard',
    reset: 'month',
    anchor: 'subscription',
    rollover,
    value: null,
  }
  const version = { plan, version: 1, interval: 'month', entitlements: [terms] } as unknown as PlanVersion
  const phase = { plan, planVersion: 1, startMs: START, endMs: null }
  const subscription = { id: 's', customer, startMs: START, anchorMs: START, endMs: null, phases: [phase] } as unknown as Subscription
  return { ...NO_ENTITLEMENT_INPUTS, subscriptions: [subscription], planVersions: [version], features: [FEATURE], meters: [METER] }
}
