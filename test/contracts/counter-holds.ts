import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AppliedRecord, Counters, CustomerRef, HoldRequest, SettleRequest } from '../../adapters/counters/counters.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import type { Hold } from '../../domain/reservations/hold.ts'
import { inLongRun } from '../support/long-run.ts'
import type { CountersPlace } from './counters.ts'
import { createHoldModel, type HoldModel } from './hold-model.ts'

/** What every implementation must do with holds. `describeCounters` has the rest. */
export function describeHolds(name: string, makePlace: () => Promise<CountersPlace>): void {
  describe(`holds: ${name}`, () => {
    let place: CountersPlace
    let counters: Counters
    let nowMs: number
    let next: number
    const now = () => nowMs as InstantMs
    const reopen = async () => {
      await counters.stop()
      counters = await place.open(now)
    }
    beforeEach(async () => {
      nowMs = MARCH
      next = 0
      place = await makePlace()
      counters = await place.open(now)
      await track()
    })
    afterEach(async () => {
      await counters.stop()
      await place.remove()
    })

    const track = (definition = DEFINITION, usedUnits = 0n) =>
      counters.track(
        ACME,
        [
          {
            feature: RUNS,
            definition,
            trackedFromMs: FEBRUARY,
            periods: usedUnits === 0n ? [] : [{ startMs: MARCH, state: { kind: 'add', amount: usedUnits } }],
          },
        ],
        next as Offset,
      )
    const reserve = (id: string, quantity: bigint, change: Partial<HoldRequest> = {}) =>
      counters.reserve(ACME, { id, feature: RUNS, quantity, expiresAtMs: (nowMs + MINUTE) as InstantMs, cap: CAP, ...change }, now())
    const settle = (id: string, quantity: bigint, change: Partial<SettleRequest> = {}) =>
      counters.settleHold(
        ACME,
        id,
        { quantity, occurredAtMs: now(), report: `{"of":"${id}"}`, eventsHash: null, beyond: CAP, ...change },
        now(),
      )
    const apply = async (record: Omit<AppliedRecord, 'offset'>) => {
      await counters.apply(P0, [{ ...record, offset: next as Offset }])
      next++
    }
    const use = (amount: bigint, settled?: string, definition = DEFINITION) =>
      apply({
        deltas: [{ ...ACME, feature: RUNS, definition, periodStartMs: MARCH, update: { kind: 'add', amount } }],
        ...(settled === undefined ? {} : { settles: [{ ...ACME, id: settled }] }),
      })
    const spent = async (periodStartMs = MARCH) => {
      const [reading] = await counters.read(ACME, [{ feature: RUNS, periodStartMs }], now())
      return [reading?.usedUnits, reading?.heldUnits]
    }
    const stateOf = async (id: string) => (await counters.hold(TENANT, id, now()))?.state.kind

    test('20 reservations of 75 at once under a limit of 500: exactly 6', async () => {
      const outcomes = await Promise.all(Array.from({ length: 20 }, (_, index) => reserve(`r${index}`, 75n)))
      expect(outcomes.filter(({ status }) => status === 'held')).toHaveLength(6)
      expect(outcomes.filter(({ status }) => status === 'refused')).toHaveLength(14)
      expect(await spent()).toEqual([0n, 450n])
    })

    test.each([
      { why: 'exactly up to the limit', used: 300n, held: 100n, quantity: 100n, status: 'held' },
      { why: 'one nano unit beyond', used: 300n, held: 100n, quantity: 101n, status: 'refused' },
      { why: 'usage above the limit', used: 600n, held: 0n, quantity: 1n, status: 'refused' },
      { why: 'no limit', used: 600n, held: 0n, quantity: 10n ** 28n, cap: { hardLimit: null }, status: 'held' },
      { why: 'another definition', used: 0n, held: 0n, quantity: 1n, cap: { definition: 'v2' }, status: 'untracked' },
      { why: 'a period before tracking', used: 0n, held: 0n, quantity: 1n, cap: { periodStartMs: JANUARY }, status: 'untracked' },
    ])('reserve, $why: $status', async ({ used, held, quantity, cap = {}, status }) => {
      await use(used)
      if (held > 0n) await reserve('before', held)
      const outcome = await reserve('r', quantity, { cap: { ...CAP, ...cap } })
      expect(outcome.status).toBe(status)
      if (outcome.status === 'held') expect(outcome).toMatchObject({ usedUnits: used, heldUnits: held + quantity })
      if (outcome.status === 'refused') expect(outcome).toMatchObject({ usedUnits: used, heldUnits: held })
      expect(await stateOf('r')).toBe(status === 'held' ? 'held' : undefined)
    })

    describe('a cap that was worked out from earlier periods', () => {
      const capOf = (usedUnits: bigint, hardLimit = 100n) => ({
        cap: { ...CAP, hardLimit, earlier: [{ periodStartMs: FEBRUARY, usedUnits }] },
      })
      const useInFebruary = (amount: bigint, settles: AppliedRecord['settles'] = []) => {
        const ofFebruary = { ...ACME, feature: RUNS, definition: DEFINITION, periodStartMs: FEBRUARY }
        return apply({ deltas: [{ ...ofFebruary, update: { kind: 'add', amount } }], settles })
      }

      test('lets through while their usage is as it was, and says so once it is not', async () => {
        expect(await reserve('a', 40n, capOf(0n))).toMatchObject({ status: 'held', usedUnits: 0n, heldUnits: 40n })
        await useInFebruary(7n)
        expect((await reserve('b', 1n, capOf(0n))).status).toBe('untracked')
        expect((await settle('a', 50n, { beyond: capOf(0n).cap })).status).toBe('untracked')
        expect((await reserve('b', 60n, capOf(7n))).status).toBe('held')
        expect((await reserve('c', 1n, capOf(7n))).status).toBe('refused')
        const before = { ...CAP, earlier: [{ periodStartMs: JANUARY, usedUnits: 0n }] }
        expect((await reserve('c', 1n, { cap: before })).status).toBe('untracked')
      })

      test('counts what settles into them as held until it is their usage', async () => {
        await reserve('a', 60n, capOf(0n))
        await settle('a', 60n, { occurredAtMs: (MARCH - 1) as InstantMs })
        expect(await spent()).toEqual([0n, 0n])
        expect((await reserve('b', 41n, capOf(0n))).status).toBe('refused')
        expect(await settle('a', 60n)).toMatchObject({ status: 'done', hold: { state: { kind: 'settling' } } })
        expect((await reserve('b', 40n, capOf(0n))).status).toBe('held')
        await useInFebruary(60n, [{ ...ACME, id: 'a' }])
        expect((await reserve('c', 1n, capOf(0n))).status).toBe('untracked')
        expect((await reserve('c', 61n, capOf(60n))).status).toBe('refused')
        expect((await reserve('c', 60n, capOf(60n))).status).toBe('held')
      })
    })

    test('a feature or customer that is not tracked is untracked', async () => {
      expect((await reserve('r', 1n, { feature: 'other' as FeatureKey })).status).toBe('untracked')
      const nobody = { ...ACME, customer: 'nobody' as CustomerKey }
      const request = { id: 'r', feature: RUNS, quantity: 1n, expiresAtMs: APRIL, cap: CAP }
      expect((await counters.reserve(nobody, request, now())).status).toBe('untracked')
    })

    test('an id that is there already is given as it stands, whatever is asked for', async () => {
      const first = await reserve('r', 75n)
      expect(first).toMatchObject({ status: 'held', hold: { id: 'r', ...ACME, feature: RUNS, quantity: 75n, createdAtMs: MARCH } })
      const hold = first.status === 'held' ? first.hold : null
      expect(await reserve('r', 75n)).toEqual({ status: 'exists', hold })
      expect(await reserve('r', 499n)).toEqual({ status: 'exists', hold })
      await reopen()
      expect(await reserve('r', 75n)).toEqual({ status: 'exists', hold })
      await counters.releaseHold(ACME, 'r', now())
      await reopen()
      expect(await reserve('r', 75n)).toMatchObject({ status: 'exists', hold: { state: { kind: 'released' } } })
      expect(await spent()).toEqual([0n, 0n])
    })

    test('the same id of another tenant is another hold', async () => {
      const elsewhere = { ...ACME, tenant: 'other' as TenantKey }
      await reserve('r', 75n)
      expect(await counters.hold(elsewhere.tenant, 'r', now())).toBeNull()
      expect(await counters.releaseHold(elsewhere, 'r', now())).toEqual({ status: 'unknown' })
      expect(await stateOf('r')).toBe('held')
    })

    test('a hold expires by the clock that is handed in, and its units are free at that instant', async () => {
      await reserve('r', 500n)
      expect((await reserve('s', 1n)).status).toBe('refused')
      nowMs += MINUTE - 1
      expect(await spent()).toEqual([0n, 500n])
      nowMs += 1
      expect(await spent()).toEqual([0n, 0n])
      expect((await reserve('s', 500n)).status).toBe('held')
      expect(await stateOf('r')).toBe('expired')
      await reopen()
      expect([await stateOf('r'), await stateOf('s')]).toEqual(['expired', 'held'])
      expect(await spent()).toEqual([0n, 500n])
    })

    test('after a restart holds are there with their remaining time', async () => {
      await reserve('r', 75n)
      await settle('r', 70n)
      await reserve('s', 100n)
      const before = [await counters.hold(TENANT, 'r', now()), await counters.hold(TENANT, 's', now())]
      nowMs += MINUTE / 2
      await reopen()
      expect([await counters.hold(TENANT, 'r', now()), await counters.hold(TENANT, 's', now())]).toEqual(before)
      expect(await spent()).toEqual([0n, 170n])
      nowMs += MINUTE / 2
      expect(await spent()).toEqual([0n, 70n])
    })

    test('extending moves the end, and never to the front', async () => {
      await reserve('r', 75n)
      const later = (nowMs + 3 * MINUTE) as InstantMs
      expect(await counters.extendHold(ACME, 'r', later, now())).toMatchObject({ status: 'done', hold: { expiresAtMs: later } })
      expect(await counters.extendHold(ACME, 'r', (nowMs + 1) as InstantMs, now())).toMatchObject({ hold: { expiresAtMs: later } })
      await reopen()
      nowMs += 2 * MINUTE
      expect(await stateOf('r')).toBe('held')
      nowMs += MINUTE
      expect(await counters.extendHold(ACME, 'r', APRIL, now())).toMatchObject({ status: 'done', hold: { state: { kind: 'expired' } } })
      expect(await spent()).toEqual([0n, 0n])
    })

    test.each([
      { why: 'less than held', used: 0n, others: 0n, quantity: 40n, settled: 40n },
      { why: 'as much as held', used: 0n, others: 0n, quantity: 75n, settled: 75n },
      { why: 'more, and there is room', used: 0n, others: 0n, quantity: 500n, settled: 500n },
      { why: 'more than there is room', used: 100n, others: 200n, quantity: 500n, settled: 200n },
      { why: 'as much as held, though usage went over the limit', used: 900n, others: 0n, quantity: 75n, settled: 75n },
      { why: 'more, though usage went over the limit', used: 900n, others: 0n, quantity: 76n, settled: 75n },
      { why: 'more, and anything goes', used: 900n, others: 0n, quantity: 10n ** 28n, beyond: 'any' as const, settled: 10n ** 28n },
      { why: 'more, and nothing goes', used: 0n, others: 0n, quantity: 76n, beyond: 'none' as const, settled: 75n },
      { why: 'expired, and there is room', used: 100n, others: 0n, quantity: 75n, isExpired: true, settled: 75n },
      { why: 'expired, and there is some room', used: 450n, others: 0n, quantity: 75n, isExpired: true, settled: 50n },
      { why: 'expired, and there is none', used: 900n, others: 0n, quantity: 75n, isExpired: true, settled: 0n },
      { why: 'expired, and nothing goes', used: 0n, others: 0n, quantity: 75n, beyond: 'none' as const, isExpired: true, settled: 0n },
    ])('settle $why: $settled', async ({ used, others, quantity, beyond = CAP, isExpired = false, settled }) => {
      await reserve('r', 75n)
      if (others > 0n) await reserve('others', others)
      await use(used)
      if (isExpired) nowMs += MINUTE
      const outcome = await settle('r', quantity, { beyond })
      const settlement = { requestedUnits: quantity, settledUnits: settled, occurredAtMs: nowMs }
      const state =
        settled === 0n ? { kind: 'settled', settlement } : { kind: 'settling', settlement: { ...settlement, report: '{"of":"r"}' } }
      expect(outcome).toMatchObject({ status: 'done', hold: { state } })
      expect(await spent()).toEqual([used, others + settled])
      await use(settled, 'r')
      expect(await spent()).toEqual([used + settled, others])
    })

    test('settling beyond the hold needs the counter, settling within it does not', async () => {
      await reserve('r', 75n)
      await counters.track(ACME, [], next as Offset)
      expect((await settle('r', 76n)).status).toBe('untracked')
      expect(await stateOf('r')).toBe('held')
      expect(await settle('r', 75n)).toMatchObject({ status: 'done', hold: { state: { kind: 'settling' } } })
    })

    test('events that are nothing of the feature wait for their record all the same', async () => {
      await reserve('r', 75n)
      const outcome = await settle('r', 0n, { eventsHash: 'h', beyond: 'any' })
      const settlement = { settledUnits: 0n, eventsHash: 'h', report: '{"of":"r"}' }
      expect(outcome).toMatchObject({ status: 'done', hold: { state: { kind: 'settling', settlement } } })
      await reopen()
      expect([await spent(), await settlingIds(counters)]).toEqual([[0n, 0n], ['r']])
      expect(await settle('r', 5n)).toMatchObject({ hold: { state: { kind: 'settling', settlement } } })
      await use(0n, 'r')
      expect(await settlingIds(counters)).toEqual([])
      await reopen()
      const settled = { kind: 'settled', settlement: { ...settlement, report: '' } }
      expect(await counters.hold(TENANT, 'r', now())).toMatchObject({ state: settled })
    })

    test('a reservation that settles at once is decided like one that holds, and waits for its record', async () => {
      await use(100n)
      const settles = { settles: { report: '{}', takes: 'all' as const } }
      const outcomes = await Promise.all(Array.from({ length: 10 }, (_, index) => reserve(`r${index}`, 75n, settles)))
      expect(outcomes.map(({ status }) => status).sort()).toEqual([...Array(5).fill('held'), ...Array(5).fill('refused')])
      const settlement = { requestedUnits: 75n, settledUnits: 75n, occurredAtMs: nowMs, report: '{}', eventsHash: null }
      const held = outcomes.flatMap((outcome) => (outcome.status === 'held' ? [outcome.hold] : []))
      for (const { state } of held) expect(state).toEqual({ kind: 'settling', settlement })
      const ids = held.map(({ id }) => id)
      const [first = ''] = ids
      expect(await reserve(first, 75n, settles)).toMatchObject({ status: 'exists', hold: { state: { kind: 'settling', settlement } } })
      expect(await counters.releaseHold(ACME, first, now())).toMatchObject({ hold: { state: { kind: 'settling' } } })
      nowMs += MINUTE
      await reopen()
      expect(await spent()).toEqual([100n, 375n])
      expect(await settlingIds(counters)).toEqual(ids)
      await use(75n, first)
      expect([await spent(), await stateOf(first)]).toEqual([[175n, 300n], 'settled'])
    })

    test('a reservation that takes what fits takes it to the unit, however many come at once, and nothing is refused', async () => {
      await use(100n)
      const settles = { settles: { report: '{}', takes: 'what_fits' as const } }
      const outcomes = await Promise.all(Array.from({ length: 10 }, (_, index) => reserve(`r${index}`, 75n, settles)))
      const taken = outcomes.map((outcome) => (outcome.status === 'held' ? (settledOf(outcome.hold) ?? 0n) : 0n))
      expect(taken.toSorted()).toEqual([...Array(4).fill(0n), 25n, ...Array(5).fill(75n)])
      expect(outcomes.filter(({ status }) => status === 'refused')).toHaveLength(4)
      expect(await spent()).toEqual([100n, 400n])
      const part = outcomes.findIndex((outcome) => outcome.status === 'held' && settledOf(outcome.hold) === 25n)
      const settlement = { requestedUnits: 75n, settledUnits: 25n }
      expect(outcomes[part]).toMatchObject({ usedUnits: 100n, hold: { quantity: 75n, state: { kind: 'settling', settlement } } })
      await reopen()
      expect(await reserve(`r${part}`, 75n, settles)).toMatchObject({ status: 'exists', hold: { state: { settlement } } })
      await use(25n, `r${part}`)
      expect(await spent()).toEqual([125n, 375n])
    })

    test('nothing used: the hold is settled at once, and there is no event to wait for', async () => {
      await reserve('r', 75n)
      expect(await settle('r', 0n)).toMatchObject({ hold: { state: { kind: 'settled', settlement: { settledUnits: 0n, report: '' } } } })
      expect(await spent()).toEqual([0n, 0n])
      expect(await settlingIds(counters)).toEqual([])
    })

    test('what ended a hold stands: whatever comes after gets it as it is', async () => {
      for (const id of ['settling', 'settled', 'released']) await reserve(id, 50n)
      await settle('settling', 40n)
      await settle('settled', 40n)
      await use(40n, 'settled')
      await counters.releaseHold(ACME, 'released', now())
      for (const isReopened of [false, true]) {
        if (isReopened) await reopen()
        for (const id of ['settling', 'settled', 'released']) {
          const hold = await counters.hold(TENANT, id, now())
          expect(hold?.state.kind).toBe(id)
          expect(await settle(id, 41n)).toEqual({ status: 'done', hold })
          expect(await counters.releaseHold(ACME, id, now())).toEqual({ status: 'done', hold })
          expect(await counters.extendHold(ACME, id, APRIL, now())).toEqual({ status: 'done', hold })
        }
        expect(await spent()).toEqual([40n, 40n])
      }
    })

    test('unknown ids are unknown', async () => {
      expect(await counters.hold(TENANT, 'r', now())).toBeNull()
      expect(await settle('r', 1n)).toEqual({ status: 'unknown' })
      expect(await counters.releaseHold(ACME, 'r', now())).toEqual({ status: 'unknown' })
      expect(await counters.extendHold(ACME, 'r', APRIL, now())).toEqual({ status: 'unknown' })
      await apply({ deltas: [], settles: [{ ...ACME, id: 'r' }] })
    })

    test('a released hold gives its units back, an expired one can be released too', async () => {
      await reserve('r', 500n)
      await counters.releaseHold(ACME, 'r', now())
      expect((await reserve('s', 500n)).status).toBe('held')
      nowMs += MINUTE
      expect(await counters.releaseHold(ACME, 's', now())).toMatchObject({ hold: { state: { kind: 'released' } } })
    })

    test('a settled quantity is held until its event is applied, then used, and never both or neither', async () => {
      await reserve('r', 75n)
      await settle('r', 60n)
      nowMs += 10 * MINUTE
      expect(await spent()).toEqual([0n, 60n])
      expect(await settlingIds(counters)).toEqual(['r'])
      await use(60n, 'r')
      expect(await spent()).toEqual([60n, 0n])
      expect(await settlingIds(counters)).toEqual([])
      await use(60n, 'r')
      expect(await stateOf('r')).toBe('settled')
    })

    test('an event that names a hold ends it in the step that counts it, and only for its own customer', async () => {
      await reserve('r', 75n)
      await apply({ deltas: [], settles: [{ ...ACME, customer: 'other' as CustomerKey, id: 'r' }] })
      expect(await spent()).toEqual([0n, 75n])
      await use(60n, 'r')
      expect(await spent()).toEqual([60n, 0n])
      expect(await stateOf('r')).toBe('released')
      expect((await reserve('rest', 440n)).status).toBe('held')
      await use(0n, 'none')
      nowMs += DAY
      expect(await spent()).toEqual([60n, 0n])
    })

    test('a record that was applied before ends no hold', async () => {
      await reserve('r', 75n)
      await use(1n)
      await settle('r', 60n)
      await counters.apply(P0, [{ offset: 0 as Offset, deltas: [], settles: [{ ...ACME, id: 'r' }] }])
      expect(await stateOf('r')).toBe('settling')
    })

    test.each([
      { why: 'untracked', definition: null },
      { why: 'tracked under another definition', definition: 'v2' },
    ])('a settle of a counter that is $why ends the hold all the same', async ({ definition }) => {
      await reserve('r', 75n)
      await settle('r', 60n)
      if (definition === null) await counters.track(ACME, [], next as Offset)
      else await track(definition)
      await use(60n, 'r')
      expect(await stateOf('r')).toBe('settled')
      await track(DEFINITION, 60n)
      expect(await spent()).toEqual([60n, 0n])
    })

    test('holds stay when what is counted is tracked anew or reset', async () => {
      await reserve('r', 75n)
      await track('v2', 30n)
      expect(await spent()).toEqual([30n, 75n])
      await counters.reset(P0, 7 as Offset)
      next = 7
      await track(DEFINITION, 30n)
      expect(await spent()).toEqual([30n, 75n])
      await reopen()
      expect(await spent()).toEqual([30n, 75n])
    })

    test('an open hold counts in every period, a settling one in that of its usage', async () => {
      nowMs = APRIL - 1
      await reserve('open', 10n)
      await reserve('settling', 100n)
      await settle('settling', 90n)
      nowMs = APRIL
      expect(await spent(MARCH)).toEqual([0n, 100n])
      expect(await spent(APRIL)).toEqual([0n, 10n])
      expect((await reserve('next', 490n, { cap: { ...CAP, periodStartMs: APRIL } })).status).toBe('held')
    })

    test('quantities are exact beyond 2^63 and down to the nano unit', async () => {
      const limit = 10n ** 29n + 1n
      const cap = { ...CAP, hardLimit: limit }
      expect((await reserve('r', 10n ** 29n, { cap })).status).toBe('held')
      expect((await reserve('s', 2n, { cap })).status).toBe('refused')
      expect((await reserve('s', 1n, { cap })).status).toBe('held')
      await reopen()
      expect(await spent()).toEqual([0n, limit])
    })

    test('an ended hold is remembered for a day', async () => {
      await reserve('r', 75n)
      await counters.releaseHold(ACME, 'r', now())
      nowMs += DAY
      await reopen()
      expect(await stateOf('r')).toBe('released')
    })

    test('any sequence of calls leaves what an obvious model says', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 60 }), async (steps) => {
          await forgetAll(counters)
          nowMs += 2 * DAY
          next = 0
          await counters.reset(P0, 0 as Offset)
          await track()
          const run = crypto.randomUUID()
          const model = createHoldModel(500n)
          for (const step of steps) await takeStep(model, { ...step, id: `${run}-${step.id}` })
        }),
        { numRuns: inLongRun(60, 20) },
      )
    })

    async function takeStep(
      model: HoldModel,
      { kind, id, units, afterMs }: { kind: StepKind; id: string; units: bigint; afterMs: number },
    ) {
      nowMs += afterMs
      const quantity = units === 0n ? 1n : units
      switch (kind) {
        case 'reserve and settle':
          expect((await reserve(id, quantity, { settles: { report: '{}', takes: 'all' } })).status).toBe(
            model.settleAtOnce(id, quantity, nowMs),
          )
          break
        case 'take what fits': {
          const outcome = await reserve(id, quantity, { settles: { report: '{}', takes: 'what_fits' } })
          expect(outcome.status === 'held' ? settledOf(outcome.hold) : outcome.status).toEqual(model.takeWhatFits(id, quantity, nowMs))
          break
        }
        case 'reserve':
          expect((await reserve(id, quantity)).status).toBe(model.reserve(id, quantity, nowMs, nowMs + MINUTE))
          break
        case 'settle': {
          const outcome = await settle(id, units)
          expect(outcome.status === 'done' ? settledOf(outcome.hold) : null).toBe(model.settle(id, units, nowMs))
          break
        }
        case 'release':
          await counters.releaseHold(ACME, id, now())
          model.release(id, nowMs)
          break
        case 'extend':
          await counters.extendHold(ACME, id, (nowMs + MINUTE) as InstantMs, now())
          model.extend(id, nowMs, nowMs + MINUTE)
          break
        case 'apply': {
          const settledUnits = model.applied(id)
          if (settledUnits !== null) await use(settledUnits, id)
          break
        }
        case 'use':
          await use(units)
          model.use(units)
          break
        case 'track':
          await track(DEFINITION, model.used())
          break
        case 'reopen':
          await reopen()
          break
      }
      expect(await spent()).toEqual([model.used(), model.held(nowMs)])
      expect((await stateOf(id)) ?? null).toBe(model.state(id, nowMs))
    }
  })
}

const STEPS = [
  'reserve',
  'reserve',
  'reserve and settle',
  'take what fits',
  'settle',
  'settle',
  'release',
  'extend',
  'apply',
  'apply',
  'use',
  'track',
  'reopen',
] as const
type StepKind = (typeof STEPS)[number]
const anyStep = fc.record({
  kind: fc.constantFrom<StepKind[]>(...STEPS),
  id: fc.nat(7),
  units: fc.bigInt({ min: 0n, max: 220n }),
  afterMs: fc.constantFrom(0, 1, 20_000, 59_999, 60_000),
})

const MINUTE = 60_000
const DAY = 86_400_000
const JANUARY = Date.UTC(2024, 0) as InstantMs
const FEBRUARY = Date.UTC(2024, 1) as InstantMs
const MARCH = Date.UTC(2024, 2) as InstantMs
const APRIL = Date.UTC(2024, 3) as InstantMs
const P0 = 0 as Partition
const TENANT = 'default' as TenantKey
const ACME: CustomerRef = { tenant: TENANT, customer: 'acme' as CustomerKey, partition: P0 }
const RUNS = 'runs' as FeatureKey
const DEFINITION = 'v1'
const CAP = { definition: DEFINITION, periodStartMs: MARCH, hardLimit: 500n }

function settledOf({ state }: Hold): bigint | null {
  return 'settlement' in state ? state.settlement.settledUnits : null
}

async function settlingIds(counters: Counters): Promise<string[]> {
  const ids: string[] = []
  for await (const holds of counters.settlingHolds(P0)) ids.push(...holds.map(({ id }) => id))
  return ids
}

/** Ends the holds that an earlier run left settling; the others expire. */
async function forgetAll(counters: Counters): Promise<void> {
  const settles = (await settlingIds(counters)).map((id) => ({ ...ACME, id }))
  await counters.apply(P0, [{ offset: await counters.position(P0), deltas: [], settles }])
}
