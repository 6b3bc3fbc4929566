import { trackedFeatures } from '../../domain/entitlements/entitlements.ts'
import type { CustomerKey, InstantMs, MeterKey, Partition, TenantKey } from '../../domain/identity.ts'
import type { MeterDefinition } from '../../domain/metering/meter.ts'
import { partitionOf } from '../../domain/metering/partitioning.ts'
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts'
import { CALLS, createCatalogModel, TOKENS } from './catalog-model.ts'
import { type Cluster, createCluster, type World } from './cluster.ts'
import { firstDifference } from './compare.ts'
import { createCountersModel } from './counters-model.ts'
import { createEventLogModel } from './event-log-model.ts'
import { createNetwork } from './network.ts'
import { createSeededRandom } from './seeded-random.ts'
import { createTraffic, type Traffic } from './traffic.ts'
import { createUsageStoreModel } from './usage-store-model.ts'

/** The outcome of a run. `failure` says what differs, or what happened that must not; null when nothing did. */
export type SimulationResult = {
  readonly steps: number
  readonly records: number
  readonly quietPoints: number
  readonly failure: string | null
}

/**
 * Runs aggregators against stores in memory for up to `stepsMax` steps. Each step delivers one call, moves the clock, or does
 * something to the system. At quiet points, and at the end, everything comes to rest and is compared.
 */
export async function simulate({ seed, stepsMax }: { readonly seed: number; readonly stepsMax: number }): Promise<SimulationResult> {
  return await run(seed, stepsMax, createVirtualClock(START_MS))
}

const START_MS = Date.UTC(2025, 5, 15, 12)
const QUIET_EVERY_STEPS = 700
const REST_STEPS_MAX = 20_000
const CUSTOMERS = ['ada', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gus', 'hal'] as CustomerKey[]
const SUBSCRIBERS = CUSTOMERS.slice(0, 6)

async function run(seed: number, stepsMax: number, clock: VirtualClock): Promise<SimulationResult> {
  const world = createWorld(seed, clock)
  const cluster = createCluster(world)
  const traffic = createTraffic(world, CUSTOMERS)
  const act = createActions(world, cluster, traffic, clock)
  let steps = 0
  let quietPoints = 0
  const result = (failure: string | null): SimulationResult => {
    let records = 0
    for (let number = 0; number < world.eventLog.partitions; number++) records += world.eventLog.next(number as Partition)
    return { steps, records, quietPoints, failure }
  }
  while (steps < stepsMax) {
    world.network.faultRate = world.random.pick([0, 0.01, 0.05])
    for (let left = Math.min(QUIET_EVERY_STEPS, stepsMax - steps); left > 0; left--) {
      cluster.tend()
      await act()
      await microtasksDone()
      steps++
    }
    const restSteps = await comeToRest(world, cluster, traffic, clock)
    if (restSteps === null)
      return result(`it did not come to rest: ${restlessness(world, cluster, traffic) ?? 'counters that were asked for are not tracked'}`)
    steps += restSteps
    quietPoints++
    const failure = cluster.failure() ?? (await firstDifference(world))
    if (failure !== null) return result(failure)
  }
  return result(null)
}

function createWorld(seed: number, clock: VirtualClock): World {
  const random = createSeededRandom(seed)
  const network = createNetwork(random)
  const counters = createCountersModel(network, clock)
  // Periods that begin in the middle of a minute are made of windows and single events.
  const subscribers = new Map(SUBSCRIBERS.map((customer, index) => [customer, (START_MS - 60 * 86_400_000 + index * 7_919) as InstantMs]))
  const catalog = createCatalogModel('default' as TenantKey, subscribers)
  catalog.putMeter(TOKENS, METERS.tokens)
  catalog.putMeter(CALLS, METERS.calls)
  counters.start()
  return {
    ...{ random, network, clock, counters, catalog },
    eventLog: createEventLogModel(2),
    usageStore: createUsageStoreModel(random.pick([4, 16, 64])),
  }
}

const METER = { eventType: 'llm', value: ['tokens'], dimensions: {} } as const
const METERS = {
  tokens: { ...METER, aggregation: 'sum', dimensions: { model: 'model' } },
  calls: { ...METER, aggregation: 'count', value: [] },
} as const satisfies Record<string, MeterDefinition>
const METERS_ON_THE_WAY: readonly (readonly [string, MeterDefinition])[] = [
  ['tokens', METERS.tokens],
  ['tokens', { ...METERS.tokens, dimensions: { model: 'model', user: 'user' } }],
  ['tokens', { ...METERS.tokens, dimensions: { model: 'model', user: 'user' }, seriesMax: 2 }],
  ['calls', METERS.calls],
  ['calls', { ...METERS.calls, dimensions: { user: 'user' } }],
  ['calls', { ...METERS.calls, dimensions: { user: 'user' }, seriesMax: 1 }],
  ['peak', { ...METER, aggregation: 'max' }],
  ['last', { ...METER, aggregation: 'latest', dimensions: { model: 'model' } }],
  ['users', { ...METER, aggregation: 'unique', value: ['user'] }],
  // More users and models a day than it keeps.
  ['wide', { ...METER, aggregation: 'sum', dimensions: { model: 'model', user: 'user' }, seriesMax: 3 }],
  ['wide', { ...METER, aggregation: 'unique', value: ['user'], dimensions: { user: 'user' }, seriesMax: 2 }],
]

/** One random step, the likely ones more often. */
function createActions({ random, network, catalog, counters, eventLog }: World, cluster: Cluster, traffic: Traffic, clock: VirtualClock) {
  const actions: readonly (readonly [weight: number, act: () => void | Promise<void>])[] = [
    [600, () => network.deliver()],
    [110, () => traffic.send()],
    [140, () => clock.advance(random.integer(10, 700))],
    [3, () => clock.advance(random.pick([600_000, 3_600_000, 5 * 86_400_000]))],
    [40, () => requestTracking()],
    [4, () => cluster.crashOne()],
    [5, () => cluster.crashAll()],
    [2, () => cluster.stopOne()],
    [4, () => cluster.handOver()],
    [8, () => cluster.cutOff()],
    [6, () => cluster.endCutOffs()],
    [4, () => changeMeter()],
  ]
  const total = actions.reduce((sum, [weight]) => sum + weight, 0)

  async function requestTracking(): Promise<void> {
    const customer = random.pick(SUBSCRIBERS)
    await counters
      .current()
      .requestTracking({ tenant: catalog.tenant, customer, partition: partitionOf(catalog.tenant, customer, eventLog.partitions) })
  }

  function changeMeter(): void {
    const [key, definition] = random.pick(METERS_ON_THE_WAY)
    const isRead = key === TOKENS || key === CALLS
    if (!isRead && catalog.meters().some((meter) => meter.key === key) && random.chance(0.5)) catalog.deleteMeter(key as MeterKey)
    else catalog.putMeter(key as MeterKey, definition)
  }

  return async () => {
    let left = random.fraction() * total
    for (const [weight, act] of actions) {
      left -= weight
      if (left < 0) return await act()
    }
  }
}

/** Lets everything arrive and nothing fail any more. Returns the number of steps; null when it never ended. */
async function comeToRest(world: World, cluster: Cluster, traffic: Traffic, clock: VirtualClock): Promise<number | null> {
  const { network } = world
  network.faultRate = 0
  cluster.endCutOffs()
  for (let steps = 0; steps < REST_STEPS_MAX; steps++) {
    cluster.tend()
    if (network.waiting() > 0) network.deliver()
    else {
      if (restlessness(world, cluster, traffic) === null && (await requestMissingTracking(world)) === 0) return steps
      clock.advance(250)
    }
    await microtasksDone()
  }
  return null
}

/** What is not yet as it should be when everything is quiet. */
function restlessness({ network, eventLog, usageStore, catalog }: World, cluster: Cluster, traffic: Traffic): string | null {
  if (network.waiting() > 0) return 'calls wait'
  if (traffic.underWay() > 0) return 'batches are not acknowledged'
  for (let number = 0; number < eventLog.partitions; number++) {
    const partition = number as Partition
    const logNext = eventLog.next(partition)
    const health = cluster.ownerOf(partition)?.health()
    const ofPartition = health?.partitions.find((each) => each.partition === partition)
    if (ofPartition === undefined) return `nobody has partition ${partition}`
    const { next, storedNext } = ofPartition
    if (next !== logNext || storedNext !== logNext) {
      return `partition ${partition} is folded to ${next}, stored to ${storedNext} of ${logNext} (${health?.reasons.join('; ')})`
    }
    if (usageStore.next(partition) !== logNext) return `the store of partition ${partition} is behind`
    const unready = catalog.meters().find((meter) => !usageStore.isComplete(meter, partition))
    if (unready !== undefined) return `meter ${unready.key} is not complete on partition ${partition}`
  }
  return null
}

/** Requests the counters that differ from the catalog. Returns how many. */
async function requestMissingTracking({ catalog, counters, clock, eventLog }: World): Promise<number> {
  let missing = 0
  for (const customer of SUBSCRIBERS) {
    const ref = { tenant: catalog.tenant, customer, partition: partitionOf(catalog.tenant, customer, eventLog.partitions) }
    const tracked = await counters.current().tracked(ref)
    const features = trackedFeatures(catalog.inputs(customer), clock.now())
    if (features.every(({ feature, definition }) => tracked.get(feature) === definition)) continue
    missing++
    await counters.current().requestTracking(ref)
  }
  return missing
}

function microtasksDone(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
