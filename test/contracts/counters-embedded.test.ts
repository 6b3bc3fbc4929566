import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test, vi } from 'vitest'
import { type Counters, type CustomerRef, HOLD_MEMORY_MS } from '../../adapters/counters/counters.ts'
import { createEmbeddedCounters } from '../../adapters/counters/embedded/embedded-counters.ts'
import { NANO } from '../../domain/decimal.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { describeHolds } from './counter-holds.ts'
import { type CountersPlace, describeCounters, TRACKING_REQUESTS } from './counters.ts'

const log = pino({ level: 'silent' })

async function makePlace(): Promise<CountersPlace> {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-counters-'))
  return {
    open: (now) =>
      createEmbeddedCounters({
        path,
        clock: { ...systemClock, now },
        log,
        registry: new Registry(),
        trackingRequests: TRACKING_REQUESTS,
      }),
    remove: () => rm(path, { recursive: true, force: true }),
  }
}

describeCounters('embedded', makePlace)
describeHolds('embedded', makePlace)

test('killed while it counts, position and values agree and nothing durable is lost', async () => {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-counters-'))
  const node = join(import.meta.dirname, '../../node_modules/.bin/node')
  const partition = 0 as Partition
  for (const lines of [1, 4, 9]) {
    const child = spawn(node, [join(import.meta.dirname, 'counters-child.ts'), path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = once(child, 'exit')
    let durable = 0
    let seen = 0
    for await (const line of createInterface({ input: child.stdout })) {
      durable = Number(line)
      if (++seen === lines) child.kill('SIGKILL')
    }
    await exited
    expect(seen).toBeGreaterThanOrEqual(lines)

    const counters = await createEmbeddedCounters({
      path,
      clock: { ...systemClock, now: () => 0 as InstantMs },
      log,
      registry: new Registry(),
    })
    const position = await counters.position(partition)
    const customer = { tenant: 'default' as TenantKey, customer: 'acme' as CustomerKey, partition }
    const wanted = ['a', 'b', 'c'].map((feature) => ({ feature: feature as FeatureKey, periodStartMs: 0 as InstantMs }))
    const readings = await counters.read(customer, wanted, 0 as InstantMs)
    await counters.stop()
    expect(position).toBeGreaterThanOrEqual(durable)
    const records = BigInt(position)
    expect(readings.map((reading) => reading?.usedUnits)).toEqual([records, 2n * records, records * NANO])
  }
  await rm(path, { recursive: true, force: true })
})

test('killed while it holds, no answered hold or settlement is lost, and used + held is what the holds say', async () => {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-counters-'))
  const node = join(import.meta.dirname, '../../node_modules/.bin/node')
  const answered = new Map<string, string>()
  for (const [run, lines] of [40, 300, 900].entries()) {
    const child = spawn(node, [join(import.meta.dirname, 'counter-holds-child.ts'), path, `run${run}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    let seen = 0
    for await (const line of createInterface({ input: child.stdout })) {
      const [state = '', id = ''] = line.split(' ')
      if (id !== '') answered.set(id, state)
      if (++seen === lines) child.kill('SIGKILL')
    }
    await exited
    expect(seen).toBeGreaterThanOrEqual(lines)
    await checkHolds(path, answered)
  }
  await rm(path, { recursive: true, force: true })
})

test('ended holds are forgotten when their day is over, and their ids are free again', async () => {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-counters-'))
  const clock = { ...systemClock, nowMs: 0, now: () => clock.nowMs as InstantMs }
  const counters = await createEmbeddedCounters({ path, clock, log, registry: new Registry(), flushIntervalMs: 1 })
  await trackRuns(counters)
  for (const id of ['released', 'expired', 'late']) expect((await reserveRun(counters, id, clock.now())).status).toBe('held')
  await counters.releaseHold(ACME, 'released', clock.now())
  clock.nowMs = HOLD_MEMORY_MS
  const settle = { quantity: 1n, occurredAtMs: clock.now(), report: '', eventsHash: null, beyond: 'none' } as const
  expect(await counters.settleHold(ACME, 'late', settle, clock.now())).toMatchObject({ hold: { state: { kind: 'settled' } } })
  const isKnown = async (id: string) => (await counters.hold(ACME.tenant, id, clock.now())) !== null
  clock.nowMs = HOLD_MEMORY_MS + HOLD_TTL_MS
  await vi.waitFor(async () => expect([await isKnown('released'), await isKnown('expired')]).toEqual([false, false]), 10_000)
  expect(await isKnown('late')).toBe(true)
  expect((await reserveRun(counters, 'released', clock.now())).status).toBe('held')
  await counters.stop()
  await rm(path, { recursive: true, force: true })
})

test('many holds that end are written before the interval is over, and forgotten sweep after sweep', async () => {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-counters-'))
  const clock = { ...systemClock, nowMs: 0, now: () => clock.nowMs as InstantMs }
  const counters = await createEmbeddedCounters({ path, clock, log, registry: new Registry(), flushIntervalMs: 3_600_000 })
  await trackRuns(counters)
  const ids = Array.from({ length: 1_300 }, (_, index) => `hold-${index}`)
  await Promise.all(ids.map((id) => reserveRun(counters, id, clock.now())))
  clock.nowMs = HOLD_TTL_MS
  // A look at one of them ends all of them, and ended holds leave memory once they are on disk.
  expect(await counters.hold(ACME.tenant, 'hold-0', clock.now())).toMatchObject({ state: { kind: 'expired' } })
  clock.nowMs += HOLD_MEMORY_MS
  const knownCount = async () =>
    (await Promise.all(ids.map((id) => counters.hold(ACME.tenant, id, clock.now())))).filter((hold) => hold !== null).length
  await vi.waitFor(async () => expect(await knownCount()).toBe(300), 20_000)
  // Fewer than a sweep takes wait for the interval after the last sweep.
  await vi.waitFor(async () => {
    await counters.flush()
    expect(await knownCount()).toBe(0)
  }, 20_000)
  await counters.stop()
  await rm(path, { recursive: true, force: true })
})

test('a tenant at its bound of holds is told so, and another goes on; one that ends makes room', async () => {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-counters-'))
  const now = 0 as InstantMs
  const counters = await createEmbeddedCounters({
    path,
    clock: { ...systemClock, now: () => now },
    log,
    registry: new Registry(),
    holdBounds: { all: 3, ofTenant: 2, ofTenantMin: 1 },
  })
  await trackRuns(counters)
  for (const id of ['a', 'b']) await reserveRun(counters, id, now)
  expect(await reserveRun(counters, 'c', now)).toEqual({ status: 'too_many', of: 'tenant', holdsMax: 2 })
  for (const tenant of ['second', 'third'] as TenantKey[]) {
    await trackRuns(counters, { ...ACME, tenant })
    expect((await reserveRun(counters, 'a', now, { ...ACME, tenant })).status).toBe('held')
  }
  // All tenants together are at the bound: a tenant with its least share waits, and one without holds is let in.
  expect(await reserveRun(counters, 'b', now, { ...ACME, tenant: 'third' as TenantKey })).toEqual({
    status: 'too_many',
    of: 'process',
    holdsMax: 3,
  })
  await counters.releaseHold(ACME, 'a', now)
  await counters.releaseHold(ACME, 'b', now)
  expect((await reserveRun(counters, 'c', now)).status).toBe('held')
  await counters.stop()
  await rm(path, { recursive: true, force: true })
})

const ACME = { tenant: 'default' as TenantKey, customer: 'acme' as CustomerKey, partition: 0 as Partition }
const RUNS = 'runs' as FeatureKey
const HOLD_TTL_MS = 1_000

const trackRuns = (counters: Counters, customer: CustomerRef = ACME) =>
  counters.track(customer, [{ feature: RUNS, definition: 'v1', trackedFromMs: 0 as InstantMs, periods: [] }], 0 as Offset)

function reserveRun(counters: Counters, id: string, nowMs: InstantMs, customer: CustomerRef = ACME) {
  const cap = { definition: 'v1', periodStartMs: 0 as InstantMs, hardLimit: 10_000n }
  return counters.reserve(customer, { id, feature: RUNS, quantity: 1n, expiresAtMs: (nowMs + HOLD_TTL_MS) as InstantMs, cap }, nowMs)
}

async function checkHolds(path: string, answered: ReadonlyMap<string, string>): Promise<void> {
  const now = 0 as InstantMs
  const tenant = 'default' as TenantKey
  const counters = await createEmbeddedCounters({ path, clock: { ...systemClock, now: () => now }, log, registry: new Registry() })
  const lost: string[] = []
  for (const [id, state] of answered) {
    const found = (await counters.hold(tenant, id, now))?.state.kind
    // A step without an answer may have been taken.
    const isKept = found !== undefined && (state === 'held' || found === state || (state === 'settling' && found === 'settled'))
    if (!isKept) lost.push(`${state} ${id} is ${found}`)
  }
  expect(lost).toEqual([])
  const customer = { tenant, customer: 'acme' as CustomerKey, partition: 0 as Partition }
  const [reading] = await counters.read(customer, [{ feature: 'runs' as FeatureKey, periodStartMs: now }], now)
  // Each applied record settled 7, and the position says how many records are on disk.
  expect(reading?.usedUnits).toBe(7n * BigInt(await counters.position(customer.partition)))
  expect((reading?.usedUnits ?? 0n) + (reading?.heldUnits ?? 0n)).toBeLessThanOrEqual(10_000n)
  await counters.stop()
}
