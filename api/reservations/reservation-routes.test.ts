import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CounterDelta, Counters } from '../../adapters/counters/counters.ts'
import { createEmbeddedCounters } from '../../adapters/counters/embedded/embedded-counters.ts'
import { createChangeListeners } from '../../adapters/database/engine/change-listeners.ts'
import { Fault } from '../../base/fault.ts'
import type { Entitlement } from '../../domain/catalog/plan.ts'
import { type EntitlementInputs, NO_ENTITLEMENT_INPUTS } from '../../domain/entitlements/entitlement-inputs.ts'
import { trackedFeatures } from '../../domain/entitlements/entitlements.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { readEvent } from '../../domain/metering/event-reading.ts'
import { matchesFilter } from '../../domain/metering/metering.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'
import { settledReservationIn } from '../../domain/metering/usage-report.ts'
import { createBalanceReader } from '../../entitlements/balance-reader.ts'
import { createCountersCatchUp } from '../../entitlements/counters-catch-up.ts'
import { createEntitlementCache } from '../../entitlements/entitlement-cache.ts'
import { createReservations } from '../../entitlements/reservations.ts'
import { createSettlementWriter } from '../../entitlements/settlement-writer.ts'
import { createHttpApp } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { decisionRoutes } from '../decisions/decision-routes.ts'
import { reservationRoutes } from './reservation-routes.ts'

const TENANT = 'default' as TenantKey
const P0 = 0 as Partition
const NOW = Date.UTC(2024, 2, 15) as InstantMs
const PERIOD_START = Date.UTC(2024, 2, 1) as InstantMs
const HOLDS = { all: 40, ofTenant: 30, ofTenantMin: 10 }
const log = pino({ level: 'silent' })

describe('reservations over HTTP', () => {
  let server: Awaited<ReturnType<typeof openServer>>
  beforeEach(async () => {
    server = await openServer()
  })
  afterEach(() => server.close())

  const reserve = (body: object) => server.post('/v1/reservations', { customer: 'acme', feature: 'runs', quantity: '75', ...body })
  const act = (id: string, what: string, body: object = {}) => server.post(`/v1/reservations/${encodeURIComponent(id)}/${what}`, body)
  const spent = async (feature = 'runs') => {
    const { body } = await server.post('/v1/decisions', { customer: 'acme', feature, quantity: '0' })
    return [body.balance.used, body.balance.held, body.balance.remaining]
  }

  test('a reservation is held, and the balance in the answer has it', async () => {
    const { status, body } = await reserve({ id: 'job/1', ttlMs: 5_000 })
    expect(status).toBe(201)
    expect(body).toMatchObject({ id: 'job/1', customer: 'acme', feature: 'runs', status: 'held', quantity: '75' })
    expect(body.expiresAt).toBe(new Date(NOW + 5_000).toISOString())
    expect(body.balance).toMatchObject({ used: '0', held: '75', remaining: '425', limit: '500', limitType: 'hard' })
    const { balance, ...reservation } = body
    expect((await server.get('/v1/reservations/job%2F1')).body).toEqual(reservation)
  })

  test('as many as may be are held at once; one more is told whose bound it is, and a retry of one of them is answered', async () => {
    for (let n = 0; n < HOLDS.ofTenant; n++) expect((await reserve({ id: `r${n}`, feature: 'soft', quantity: 1 })).status).toBe(201)
    const refused = await reserve({ id: 'more', feature: 'soft', quantity: 1 })
    expect(refused).toMatchObject({ status: 429, body: { code: 'too_many_holds', detail: expect.stringMatching(/tenant.* 30/) } })
    expect((await reserve({ id: 'r7', feature: 'soft', quantity: 1 })).status).toBe(200)
    await act('r7', 'release')
    expect((await reserve({ id: 'more', feature: 'soft', quantity: 1 })).status).toBe(201)
  })

  test('without an own id the server makes one, and the default is a minute', async () => {
    const { body } = await reserve({})
    expect(body.id).toBe('res_1')
    expect(body.expiresAt).toBe(new Date(NOW + 60_000).toISOString())
  })

  test('20 reservations of 75 at once under a limit of 500: exactly 6', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => reserve({})))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(6)
    expect(answers.filter(({ status, body }) => status === 409 && body.code === 'hard_limit_reached')).toHaveLength(14)
    expect(await spent()).toEqual(['0', '450', '50'])
  })

  describe('settled by events', () => {
    const events = [
      { type: 'run', data: { n: 30, tier: 'a' } },
      { type: 'run', data: { n: '40.5', tier: 'c' }, time: new Date(NOW - 86_400_000).toISOString(), id: 'mine' },
      { type: 'other', data: { n: 1_000 } },
    ]

    test('all of them are in the log as they are, and the hold ends as they count', async () => {
      await reserve({ id: 'r' })
      server.pauseAggregator()
      const settled = { id: 'r', status: 'settled', settled: '70.5', refused: '0' }
      const balance = { used: '0', held: '70.5', remaining: '429.5' }
      expect(await act('r', 'settle', { events })).toMatchObject({ status: 200, body: { ...settled, balance } })
      expect(await spent()).toEqual(['0', '70.5', '429.5'])
      await server.resumeAggregator()
      expect(await spent()).toEqual(['70.5', '0', '429.5'])
      expect(await spent('soft')).toEqual(['30', '0', '470'])
      expect(server.events.map(({ type, source, id, occurredAtMs, data }) => [type, source, id, occurredAtMs, JSON.parse(data)])).toEqual([
        ['run', 'tollgate', `reservation:r:${NOW}:0`, NOW, events[0]?.data],
        ['run', 'default', 'mine', NOW, events[1]?.data],
        ['other', 'tollgate', `reservation:r:${NOW}:2`, NOW, events[2]?.data],
        ['tollgate.settlement', 'tollgate', `reservation:r:${NOW}`, NOW, { reservation: 'r', feature: 'runs', events: 3 }],
      ])
      expect(await act('r', 'settle', { events })).toMatchObject({ status: 200, body: settled })
      expect(await act('r', 'settle', { events: events.slice(1) })).toMatchObject({ status: 409, body: { code: 'already_settled' } })
      expect(await act('r', 'settle', { quantity: '70.5' })).toMatchObject({ status: 409, body: { code: 'already_settled' } })
      expect(await spent()).toEqual(['70.5', '0', '429.5'])
    })

    test('they are facts: they count whole beyond the hold and a hard limit', async () => {
      await reserve({ id: 'r' })
      const many = [{ type: 'run', data: { n: 600 } }]
      expect(await act('r', 'settle', { events: many })).toMatchObject({ status: 200, body: { settled: '600', refused: '0' } })
      expect(await spent()).toEqual(['600', '0', '0'])
    })

    test('events that are nothing of the feature free the hold, and are in the log also when the process ends before', async () => {
      await reserve({ id: 'r' })
      server.breakLog()
      const others = [{ type: 'other', data: {} }]
      expect((await act('r', 'settle', { events: others })).status).toBe(503)
      expect(await spent()).toEqual(['0', '0', '500'])
      await server.restart()
      await server.reporter().resumeSettles()
      expect(server.events.map(({ type }) => type)).toEqual(['other', 'tollgate.settlement'])
      expect(await act('r', 'settle', { events: others })).toMatchObject({ status: 200, body: { status: 'settled', settled: '0' } })
    })

    test.each<[string, object, string]>([
      ['neither events nor a quantity', {}, 'invalid_request'],
      ['events and a quantity', { quantity: 1, events }, 'invalid_request'],
      ['events and data', { data: {}, events }, 'invalid_request'],
      ['no events', { events: [] }, 'invalid_request'],
      ['too many events', { events: Array(101).fill(events[0]) }, 'invalid_request'],
      ['too much of events', { events: [{ type: 'run', data: { a: 'x'.repeat(65_536) } }] }, 'settlement_too_large'],
      ['an event without a type', { events: [{ data: {} }] }, 'invalid_request'],
      ['an unknown field', { events: [{ type: 'run', customer: 'acme' }] }, 'invalid_request'],
      ['a type of our own', { events: [{ type: 'tollgate.usage', data: {} }] }, 'reserved_type'],
      ['half a character', { events: [{ type: 'run', data: { a: '\ud800' } }] }, 'lone_surrogate'],
      ['a time that is none', { events: [{ type: 'run', time: 'yesterday' }] }, 'invalid_request'],
    ])('%s is refused, and the hold stays', async (_why, body, code) => {
      await reserve({ id: 'r' })
      expect(await act('r', 'settle', body)).toMatchObject({ status: 400, body: { code } })
      expect(await spent()).toEqual(['0', '75', '425'])
      expect(server.events).toEqual([])
    })
  })

  test('the properties of a settled quantity are its dimensions', async () => {
    await reserve({ id: 'r', feature: 'soft' })
    await act('r', 'settle', { quantity: '5', data: { tier: 'b', model: 'm' } })
    expect(JSON.parse(server.events[0]?.data ?? '')).toMatchObject({ dimensions: {}, properties: { tier: 'b', model: 'm' } })
    expect(await spent('soft')).toEqual(['5', '0', '495'])
    await reserve({ id: 's', feature: 'soft' })
    expect(await act('s', 'settle', { quantity: '5', data: { tier: 'c' } })).toMatchObject({
      status: 400,
      body: { code: 'outside_feature' },
    })
    expect(await spent('soft')).toEqual(['5', '75', '420'])
    expect((await act('s', 'settle', { quantity: '6', data: { model: 'm' } })).status).toBe(200)
    expect(await spent('soft')).toEqual(['11', '0', '489'])
  })

  describe('settled as it is reserved', () => {
    test('the quantity is decided, held and used in one step, and a repeat is answered the same', async () => {
      server.pauseAggregator()
      const first = await reserve({ id: 'r', settle: true, data: { tier: 'a' } })
      const settled = { id: 'r', status: 'settled', quantity: '75', settled: '75', refused: '0' }
      expect(first).toMatchObject({ status: 201, body: { ...settled, balance: { used: '0', held: '75', remaining: '425' } } })
      expect(await reserve({ id: 'r', settle: true })).toMatchObject({ status: 200, body: settled })
      await server.resumeAggregator()
      expect(await spent()).toEqual(['75', '0', '425'])
      expect(await reserve({ id: 'r', settle: true })).toMatchObject({ status: 200, body: settled })
      expect(await act('r', 'release')).toMatchObject({ status: 409, body: { code: 'already_settled' } })
      expect(await spent()).toEqual(['75', '0', '425'])
      expect(await spent('soft')).toEqual(['75', '0', '425'])
    })

    test('20 of 75 at once under a limit of 500: exactly 6', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => reserve({ settle: true })))
      expect(answers.map(({ status }) => status).sort()).toEqual([...Array(6).fill(201), ...Array(14).fill(409)])
      expect(await spent()).toEqual(['450', '0', '50'])
    })

    test('what was only held is no answer to it, and data without it is refused', async () => {
      await reserve({ id: 'r' })
      expect(await reserve({ id: 'r', settle: true })).toMatchObject({ status: 409, body: { code: 'reservation_id_reused' } })
      expect(await reserve({ data: {} })).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
      expect(await reserve({ feature: 'soft', settle: true, data: { tier: 'c' } })).toMatchObject({ status: 400 })
      expect(await spent()).toEqual(['0', '75', '425'])
    })

    test('usage whose answer was lost with the log is appended at the repeat', async () => {
      server.breakLog()
      expect((await reserve({ id: 'r', settle: true })).status).toBe(503)
      expect(await spent()).toEqual(['0', '75', '425'])
      server.mendLog()
      expect(await reserve({ id: 'r', settle: true })).toMatchObject({ status: 200, body: { settled: '75' } })
      expect(await spent()).toEqual(['75', '0', '425'])
    })
  })

  test('a 409 carries what is left and when there is more as members', async () => {
    await reserve({ id: 'r', quantity: '499.5' })
    expect((await reserve({ id: 's' })).body).toMatchObject({
      code: 'hard_limit_reached',
      ...{ limit: '500', used: '0', held: '499.5', remaining: '0.5', resetsAt: '2024-04-01T00:00:00.000Z' },
    })
  })

  test('a soft limit and none hold whatever is asked', async () => {
    expect((await reserve({ feature: 'soft', quantity: '700' })).status).toBe(201)
    expect((await reserve({ feature: 'free', quantity: '99999999999999999999' })).status).toBe(201)
  })

  test('a retry under its own id is the same reservation', async () => {
    const first = await reserve({ id: 'r' })
    const again = await reserve({ id: 'r', ttlMs: 9_000 })
    expect(again).toMatchObject({ status: 200, body: first.body })
    expect(await spent()).toEqual(['0', '75', '425'])
    await act('r', 'settle', { quantity: '70' })
    expect(await reserve({ id: 'r' })).toMatchObject({ status: 200, body: { status: 'settled', settled: '70' } })
  })

  test.each([
    { why: 'another quantity', body: { quantity: '76' } },
    { why: 'another feature', body: { feature: 'soft' } },
    { why: 'another customer', body: { customer: 'other' } },
  ])('the same id with $why is refused', async ({ body }) => {
    await reserve({ id: 'r' })
    expect(await reserve({ id: 'r', ...body })).toMatchObject({ status: 409, body: { code: 'reservation_id_reused' } })
  })

  test('what was held is answered though the entitlement is gone, and can be settled up to what was held', async () => {
    await reserve({ id: 'r' })
    server.removeEntitlements()
    expect(await reserve({ id: 'r' })).toMatchObject({ status: 200, body: { status: 'held' } })
    expect(await reserve({ id: 's' })).toMatchObject({ status: 409, body: { code: 'no_entitlement' } })
    expect(await act('r', 'settle', { quantity: '80' })).toMatchObject({ status: 200, body: { settled: '75', refused: '5' } })
  })

  test.each<[string, object, number, string]>([
    ['a negative quantity', { quantity: '-1' }, 400, 'invalid_quantity'],
    ['zero', { quantity: 0 }, 400, 'invalid_quantity'],
    ['ten fractional digits', { quantity: '0.0000000001' }, 400, 'invalid_quantity'],
    ['no number', { quantity: 'many' }, 400, 'invalid_quantity'],
    ['an exponent', { quantity: '1e3' }, 400, 'invalid_quantity'],
    ['beyond what is exact', { quantity: '100000000000000000000' }, 400, 'invalid_quantity'],
    ['a boolean as quantity', { quantity: true }, 400, 'invalid_request'],
    ['no quantity', { quantity: undefined }, 400, 'invalid_request'],
    ['no customer', { customer: undefined }, 400, 'invalid_request'],
    ['an unknown field', { quantty: 1 }, 400, 'invalid_request'],
    ['too short a time', { ttlMs: 999 }, 400, 'invalid_ttl'],
    ['too long a time', { ttlMs: 86_400_001 }, 400, 'invalid_ttl'],
    ['half a millisecond', { ttlMs: 1000.5 }, 400, 'invalid_ttl'],
    ['a time that is text', { ttlMs: '1000' }, 400, 'invalid_request'],
    ['an id with a space', { id: 'a b' }, 400, 'invalid_request'],
    ['an id too long', { id: 'x'.repeat(129) }, 400, 'invalid_request'],
    ['an unknown feature', { feature: 'rnus' }, 404, 'unknown_feature'],
    ['a feature that the plan does not have', { feature: 'unplanned' }, 409, 'no_entitlement'],
    ['an unknown customer', { customer: 'nobody' }, 409, 'no_entitlement'],
    ['a boolean feature', { feature: 'sso' }, 409, 'feature_not_metered'],
    ['a boolean feature that the plan does not have', { feature: 'audit' }, 409, 'feature_not_metered'],
    ['a feature metered by its maximum', { feature: 'peak' }, 409, 'feature_not_additive'],
    ['more than there is', { quantity: '500.000000001' }, 409, 'hard_limit_reached'],
  ])('%s is refused', async (_why, body, status, code) => {
    const answer = await reserve({ id: 'r', ...body })
    expect(answer).toMatchObject({ status, body: { code } })
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.body.detail.length).toBeGreaterThan(20)
    expect((await server.get('/v1/reservations/r')).status).toBe(404)
    expect(await spent()).toEqual(['0', '0', '500'])
  })

  test.each<[string, string[], string, object, number, string]>([
    ['settle: a negative quantity', [], 'settle', { quantity: '-1' }, 400, 'invalid_quantity'],
    ['settle: ten fractional digits', [], 'settle', { quantity: '1.0000000001' }, 400, 'invalid_quantity'],
    ['settle: no quantity', [], 'settle', {}, 400, 'invalid_request'],
    ['settle: a time that is none', [], 'settle', { quantity: 1, time: 'yesterday' }, 400, 'invalid_request'],
    ['settle: a day that is none', [], 'settle', { quantity: 1, time: '2024-02-31T00:00:00Z' }, 400, 'invalid_request'],
    ['settle: data that is a list', [], 'settle', { quantity: 1, data: [1] }, 400, 'invalid_request'],
    ['settle: data too large', [], 'settle', { quantity: 1, data: { text: 'x'.repeat(4_100) } }, 400, 'invalid_data'],
    ['settle: data with an inexact number', [], 'settle', { quantity: 1, data: { big: 2 ** 60 } }, 400, 'number_out_of_range'],
    ['settle after release', ['release'], 'settle', { quantity: '75' }, 409, 'already_released'],
    ['settle twice, differently', ['settle'], 'settle', { quantity: '76' }, 409, 'already_settled'],
    ['release after settle', ['settle'], 'release', {}, 409, 'already_settled'],
    ['extend: no time', [], 'extend', {}, 400, 'invalid_request'],
    ['extend: too long', [], 'extend', { ttlMs: 86_400_001 }, 400, 'invalid_ttl'],
    ['extend after settle', ['settle'], 'extend', { ttlMs: 5_000 }, 409, 'already_settled'],
    ['extend after release', ['release'], 'extend', { ttlMs: 5_000 }, 409, 'already_released'],
    ['extend after expiry', ['expire'], 'extend', { ttlMs: 5_000 }, 409, 'reservation_expired'],
  ])('%s is refused', async (_why, before, what, body, status, code) => {
    await reserve({ id: 'r' })
    for (const step of before) {
      if (step === 'expire') server.clock.nowMs += 60_000
      else await act('r', step, step === 'settle' ? { quantity: '75' } : {})
    }
    const stood = (await server.get('/v1/reservations/r')).body
    expect(await act('r', what, body)).toMatchObject({ status, body: { code } })
    expect((await server.get('/v1/reservations/r')).body).toEqual(stood)
  })

  test.each(['settle', 'release', 'extend'])('%s of an unknown reservation is 404', async (what) => {
    const answer = await act('nope', what, what === 'settle' ? { quantity: 1 } : { ttlMs: 5_000 })
    expect(answer).toMatchObject({ status: 404, body: { code: 'unknown_reservation' } })
    expect(await server.get('/v1/reservations/nope')).toMatchObject({ status: 404, body: { code: 'unknown_reservation' } })
  })

  test('an expired or released reservation is not held again under its id', async () => {
    await reserve({ id: 'expired' })
    server.clock.nowMs += 60_000
    expect(await reserve({ id: 'expired' })).toMatchObject({ status: 409, body: { code: 'reservation_expired' } })
    await reserve({ id: 'released' })
    await act('released', 'release')
    expect(await reserve({ id: 'released' })).toMatchObject({ status: 409, body: { code: 'already_released' } })
  })

  test.each([
    { why: 'less', quantity: '40.5', settled: '40.5', refused: '0', left: ['40.5', '0', '459.5'] },
    { why: 'as much', quantity: 75, settled: '75', refused: '0', left: ['75', '0', '425'] },
    { why: 'more', quantity: '400', settled: '400', refused: '0', left: ['400', '0', '100'] },
    { why: 'more than fits', quantity: '600', settled: '500', refused: '100', left: ['500', '0', '0'] },
  ])('settle $why than held: from then on it is held or used, never both', async ({ quantity, settled, refused, left }) => {
    await reserve({ id: 'r' })
    server.pauseAggregator()
    const answer = await act('r', 'settle', { quantity })
    expect(answer).toMatchObject({ status: 200, body: { status: 'settled', quantity: '75', settled, refused } })
    expect(await spent()).toEqual(['0', settled, left[2]])
    expect((await act('r', 'settle', { quantity })).body).toEqual(answer.body)
    await server.resumeAggregator()
    expect(await spent()).toEqual(left)
    const [used, held, remaining] = left
    const balance = { ...answer.body.balance, used, held, remaining, hasAccess: remaining !== '0' }
    expect((await act('r', 'settle', { quantity })).body).toEqual({ ...answer.body, balance })
    expect(await spent()).toEqual(left)
  })

  test('over a soft limit and without one all is settled', async () => {
    await reserve({ id: 'r', feature: 'soft' })
    expect((await act('r', 'settle', { quantity: '600' })).body).toMatchObject({ settled: '600', refused: '0' })
    expect(await spent('soft')).toEqual(['600', '0', '0'])
  })

  test('an expired reservation is settled as far as there is room', async () => {
    await reserve({ id: 'r' })
    server.clock.nowMs += 60_000
    await reserve({ id: 's', quantity: '450' })
    expect((await act('r', 'settle', { quantity: '75' })).body).toMatchObject({ status: 'settled', settled: '50', refused: '25' })
    expect(await spent()).toEqual(['50', '450', '0'])
  })

  test('releasing gives all back, and may be repeated', async () => {
    await reserve({ id: 'r' })
    const answer = await act('r', 'release')
    expect(answer).toMatchObject({ status: 200, body: { id: 'r', status: 'released' } })
    expect((await act('r', 'release')).body).toEqual(answer.body)
    expect(await spent()).toEqual(['0', '0', '500'])
  })

  test('extending keeps the units', async () => {
    await reserve({ id: 'r' })
    server.clock.nowMs += 50_000
    expect((await act('r', 'extend', { ttlMs: 60_000 })).body.expiresAt).toBe(new Date(NOW + 110_000).toISOString())
    server.clock.nowMs += 59_999
    expect(await spent()).toEqual(['0', '75', '425'])
    server.clock.nowMs += 1
    expect(await spent()).toEqual(['0', '0', '500'])
  })

  test('the usage event names the meter, passes the filter, and carries the data of the caller', async () => {
    await reserve({ id: 'r', feature: 'soft' })
    server.clock.nowMs += 30_000
    await act('r', 'settle', { quantity: '12.5', data: { model: 'large' }, time: new Date(NOW + 10_000).toISOString() })
    const [event] = server.events
    expect(event).toMatchObject({
      type: 'tollgate.usage',
      source: 'tollgate',
      customer: 'acme',
      subject: null,
      occurredAtMs: NOW + 10_000,
      attributes: null,
    })
    expect(event?.id).toBe(`reservation:r:${NOW}`)
    expect(JSON.parse(event?.data ?? '')).toEqual({
      feature: 'soft',
      meter: 'm',
      quantity: '12.5',
      behaviour: 'delta',
      dimensions: { tier: 'a' },
      reservation: 'r',
      properties: { model: 'large' },
    })
  })

  test.each([
    { why: 'before the reservation is that of the reservation', time: NOW - 3_600_000, occurredAtMs: NOW },
    { why: 'ahead of the clock is now', time: NOW + 3_600_000, occurredAtMs: NOW + 30_000 },
  ])('a time $why', async ({ time, occurredAtMs }) => {
    await reserve({ id: 'r' })
    server.clock.nowMs += 30_000
    await act('r', 'settle', { quantity: '1', time: new Date(time).toISOString() })
    expect(server.events[0]?.occurredAtMs).toBe(occurredAtMs)
  })

  test('when the log fails the settlement stands and is appended when it works again', async () => {
    await reserve({ id: 'r' })
    server.breakLog()
    expect(await act('r', 'settle', { quantity: '70' })).toMatchObject({ status: 503, body: { code: 'log_unavailable' } })
    expect(await spent()).toEqual(['0', '70', '430'])
    expect(await act('r', 'settle', { quantity: '71' })).toMatchObject({ status: 409, body: { code: 'already_settled' } })
    server.mendLog()
    expect(await act('r', 'settle', { quantity: '70' })).toMatchObject({ status: 200, body: { settled: '70' } })
    expect(await spent()).toEqual(['70', '0', '430'])
  })

  test('what settles when the process ends is appended again by the next', async () => {
    await reserve({ id: 'r' })
    server.breakLog()
    await act('r', 'settle', { quantity: '70' })
    await server.restart()
    await server.reporter().resumeSettles()
    expect(await spent()).toEqual(['70', '0', '430'])
    expect(server.events).toHaveLength(1)
  })

  test('until the counters have caught up with the log a hard limit is not judged, and what was held can be settled', async () => {
    await reserve({ id: 'r' })
    await server.restart({ logNext: 1 })
    expect(await reserve({})).toMatchObject({ status: 503, body: { code: 'counters_rebuilding' } })
    const decision = await server.post('/v1/decisions', { customer: 'acme', feature: 'runs' })
    expect(decision).toMatchObject({ status: 200, body: { allowed: false, code: 'uncertain_denied' } })
    expect((await reserve({ feature: 'soft' })).status).toBe(201)
    expect(await act('r', 'settle', { quantity: '76' })).toMatchObject({ status: 503, body: { code: 'counters_rebuilding' } })
    expect((await act('r', 'settle', { quantity: '75' })).status).toBe(200)
    expect((await reserve({})).status).toBe(201)
  })

  test('many first askers of a customer that is not tracked yet all get their hold', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => reserve({ customer: 'acme', quantity: '50' })))
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(201))
  })

  test('a key without the scope is refused', async () => {
    expect((await server.post('/v1/reservations', {}, 'reader')).status).toBe(403)
  })
})

/** The routes on the server of the runtime and real counters, with as little of an aggregator and a catalog as they need. */
async function openServer() {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-reservations-'))
  const clock = { ...systemClock, nowMs: NOW as number, now: () => clock.nowMs as InstantMs }
  const events: UsageEvent[] = []
  const catalog = createCatalog()
  let isLogBroken = false
  let nextId = 1
  let running = await start()

  async function start(logNext = 0) {
    const registry = new Registry()
    const counters = await createEmbeddedCounters({ path, clock, log, registry, holdBounds: HOLDS })
    const aggregator = createAggregator(counters, catalog.inputs, clock)
    const entitlements = createEntitlementCache({ ...catalog, clock, registry })
    const eventLog = { range: async () => ({ start: 0 as Offset, next: logNext as Offset }) }
    const catchUp = createCountersCatchUp({ clock: systemClock, counters, eventLog, waitMaxMs: 50 })
    const balances = createBalanceReader({ ...catalog, entitlements, counters, catchUp, clock, partitions: 1, log, registry })
    const reporter = createSettlementWriter({ clock: systemClock, counters, catchUp, partitions: 1, reportUsage, log, registry })
    const createId = () => `res_${nextId++}`
    const reservations = createReservations({
      entitlements,
      meters: catalog.meters,
      balances,
      counters,
      catchUp,
      reporter,
      clock,
      partitions: 1,
      createId,
    })
    const app = createHttpApp({
      findPrincipal: (secret) => ({ keyId: 'k', tenant: TENANT, scopes: secret === 'reader' ? ['read'] : ['decide'] }),
      idempotency: { claim: async () => null, save: async () => {}, release: async () => {} },
      clock,
      log,
      registry,
      bodyBytesMax: 100_000,
    })
    app.register(decisionRoutes({ entitlements, balances, registry }))
    app.register(reservationRoutes({ reservations, registry }))
    await app.ready()
    return { app, counters, reporter, aggregator }
  }

  async function reportUsage(_tenant: TenantKey, reported: readonly UsageEvent[]): Promise<void> {
    if (isLogBroken) throw new Fault('log_unavailable', 'broken by the test', { canRetry: true, publicText: 'No log.' })
    events.push(...reported)
    await running.aggregator.take(reported)
  }

  async function stop() {
    await running.reporter.stop()
    await running.app.close()
    await running.counters.stop()
  }

  const send = async (method: 'GET' | 'POST', url: string, payload: object | undefined, key: string) => {
    const headers = { authorization: `Bearer ${key}` }
    const response = await running.app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) })
    return { status: response.statusCode, headers: response.headers, body: response.json() }
  }
  return {
    clock,
    events,
    reporter: () => running.reporter,
    get: (url: string) => send('GET', url, undefined, 'app'),
    post: (url: string, payload: object, key = 'app') => send('POST', url, payload, key),
    removeEntitlements: catalog.removeEntitlements,
    pauseAggregator: () => running.aggregator.pause(),
    resumeAggregator: () => running.aggregator.resume(),
    breakLog: () => {
      isLogBroken = true
    },
    mendLog: () => {
      isLogBroken = false
    },
    async restart({ logNext = 0 } = {}) {
      await stop()
      isLogBroken = false
      running = await start(logNext)
    },
    async close() {
      await stop()
      await rm(path, { recursive: true, force: true })
    },
  }
}

/** Tracks requested customers, and counts reported usage once each. */
function createAggregator(counters: Counters, inputs: (customer: CustomerKey) => EntitlementInputs, clock: { now(): InstantMs }) {
  const seen = new Set<string>()
  let turn: Promise<void> = Promise.resolve()
  let waiting: (readonly UsageEvent[])[] | null = null
  counters.onTrackingRequest(async () => {
    for (const customer of await counters.takeTrackingRequests(P0)) {
      const tracked = trackedFeatures(inputs(customer.customer), clock.now())
      const found = tracked.map(({ feature, definition }) => ({ feature, definition, trackedFromMs: PERIOD_START, periods: [] }))
      await counters.track(customer, found, await counters.position(P0))
    }
  })

  /** The events of one record: what they count and the holds that they end are one step. */
  async function take(record: readonly UsageEvent[]): Promise<void> {
    if (waiting !== null) {
      waiting.push(record)
      return
    }
    const settles = record.flatMap((event) => {
      const id = settledReservationIn(event)
      return id === null ? [] : [{ tenant: TENANT, customer: event.customer, id }]
    })
    const deltas = record.flatMap((event) => {
      const name = JSON.stringify([event.customer, event.source, event.id])
      if (seen.has(name)) return []
      seen.add(name)
      return deltasOf(event)
    })
    turn = turn.then(async () => {
      await counters.apply(P0, [{ offset: await counters.position(P0), deltas, settles }])
    })
    await turn
  }

  function deltasOf(event: UsageEvent): CounterDelta[] {
    const customer = { tenant: TENANT, customer: event.customer, partition: P0 }
    return trackedFeatures(inputs(event.customer), clock.now()).flatMap(({ feature, definition, meter, filter }) => {
      const read = readEvent(meter, event, JSON.parse(event.data) as object)
      if (read === null || 'unreadable' in read.reading || !matchesFilter(filter, read.dimensions)) return []
      const update = { kind: 'add', amount: read.reading.value } as const
      return [{ ...customer, feature, definition, periodStartMs: PERIOD_START, update }]
    })
  }

  return {
    take,
    pause: () => {
      waiting = []
    },
    async resume() {
      const held = waiting ?? []
      waiting = null
      for (const record of held) await take(record)
    },
  }
}

function createCatalog() {
  const all = catalogInputs()
  const listeners = createChangeListeners()
  let hasEntitlements = true
  const inputs = (customer: CustomerKey) => (customer === 'nobody' || !hasEntitlements ? { ...all, subscriptions: [] } : all)
  return {
    inputs,
    entitlementInputs: {
      read: async (_tenant: TenantKey, customers: readonly CustomerKey[]) =>
        new Map(customers.map((customer) => [customer, inputs(customer)])),
    },
    meters: { get: async () => all.meters[0] ?? null },
    features: { get: async (_tenant: TenantKey, key: FeatureKey) => all.features.find((feature) => feature.key === key) ?? null },
    changes: { subscribe: listeners.subscribe, heardUpToMs: () => Number.MAX_SAFE_INTEGER as InstantMs },
    allowanceOpenings: { save: async () => {} },
    removeEntitlements() {
      hasEntitlements = false
      listeners.tell([{ tenant: TENANT, topic: 'subscriptions', key: 'acme' as CustomerKey }])
    },
  }
}

function catalogInputs(): EntitlementInputs {
  const hard = (feature: string) => ({ feature, limit: '500', limitType: 'hard', reset: 'month', anchor: 'calendar', rollover: null })
  const entitlements = [hard('runs'), { ...hard('soft'), limitType: 'soft' }, { ...hard('free'), limit: null }, hard('peak'), hard('sso')]
  const phases = [{ plan: 'p', planVersion: 1, startMs: PERIOD_START, endMs: null }]
  const metered = (key: string, meter = 'm', filter = {}) => ({ key, type: 'metered', meter, filter })
  return {
    ...NO_ENTITLEMENT_INPUTS,
    subscriptions: [{ id: 's', customer: 'acme', startMs: PERIOD_START, anchorMs: PERIOD_START, endMs: null, phases }],
    planVersions: [{ plan: 'p', version: 1, interval: 'month', entitlements: entitlements as unknown as Entitlement[] }],
    features: [
      ...['runs', 'free', 'unplanned'].map((key) => metered(key)),
      metered('soft', 'm', { tier: ['a', 'b'] }),
      metered('peak', 'peak'),
      ...['sso', 'audit'].map((key) => ({ key, type: 'boolean', meter: null, filter: {} })),
    ],
    meters: [
      { key: 'm', revision: 1, eventType: 'run', aggregation: 'sum', value: ['n'], dimensions: { tier: 'tier' } },
      { key: 'peak', revision: 2, eventType: 'run', aggregation: 'max', value: ['n'], dimensions: {} },
    ],
    overrides: [],
    grants: [],
    manualResets: [],
    openings: [],
  } as unknown as EntitlementInputs
}
