import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeDirectory, runTollgate, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

type Source = { source: string; id?: string; priority?: number; amount: string | null; remaining: string | null; expiresAt?: string }
type Balance = {
  limit: string | null
  used: string
  held: string
  remaining: string | null
  overage: string
  hasAccess: boolean
  period: { start: string; end: string } | null
  sources: Source[]
}
type Decision = { allowed: boolean; code: string; balance?: Balance }
type Grant = { id: string; amount: string; effectiveAt: string; voidedAt: string | null }
type Reset = { id: string; by: string; at: string; reason: string | null; before: object; after: object }

const HOUR_MS = 3_600_000

describe('entitlements in full', () => {
  let tollgate: TollgateProcess

  beforeAll(async () => {
    tollgate = await startTollgate()
    await tollgate.ok('PUT', '/v1/meters/tokens', { eventType: 'llm.request', aggregation: 'sum', value: 'tokens' })
    await tollgate.ok('PUT', '/v1/meters/models', { eventType: 'llm.request', aggregation: 'unique', value: 'model' })
    await tollgate.ok('PUT', '/v1/features/tokens', { type: 'metered', meter: 'tokens' })
    await tollgate.ok('PUT', '/v1/features/models', { type: 'metered', meter: 'models' })
    await tollgate.ok('PUT', '/v1/features/sso', { type: 'boolean' })
    await tollgate.ok('PUT', '/v1/features/region', { type: 'config' })
    await tollgate.ok('PUT', '/v1/products/ai', { name: 'AI' })
    const plan = (entitlement: object) => ({
      product: 'ai',
      name: 'Plan',
      currency: 'EUR',
      interval: 'month',
      entitlements: [
        { feature: 'tokens', ...entitlement },
        { feature: 'sso', value: false },
        { feature: 'region', value: 'eu' },
      ],
    })
    await tollgate.ok('PUT', '/v1/plans/hundred', plan({ limit: '100', limitType: 'hard' }))
    await tollgate.ok('PUT', '/v1/plans/thousand', plan({ limit: '1000', limitType: 'hard' }))
    await tollgate.ok(
      'PUT',
      '/v1/plans/rolling',
      plan({ limit: '100', limitType: 'soft', reset: 'hour', rollover: { percent: 50, max: 30 } }),
    )
  })
  afterAll(async () => {
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  })

  const subscribe = async (customer: string, plan = 'hundred', more: object = {}) => {
    await tollgate.ok('PUT', `/v1/customers/${customer}`, {})
    return await tollgate.ok<{ id: string }>('POST', '/v1/subscriptions', { customer, plan, ...more })
  }
  const balance = (customer: string, feature = 'tokens') => tollgate.ok<Balance>('GET', `/v1/customers/${customer}/balances/${feature}`)
  const decide = (customer: string, quantity: string) =>
    tollgate.ok<Decision>('POST', '/v1/decisions', { customer, feature: 'tokens', quantity })
  let events = 0
  const use = async (customer: string, tokens: number, time?: number) => {
    const before = (await balance(customer)).used
    const at = time === undefined ? {} : { time: new Date(time).toISOString() }
    await tollgate.ok('POST', '/v1/events', { id: `e${++events}`, type: 'llm.request', customer, data: { tokens, model: 'm' }, ...at })
    if (time === undefined) await waitFor(async () => (await balance(customer)).used !== before)
  }
  const grant = (customer: string, body: object) =>
    tollgate.ok<Grant>('POST', `/v1/customers/${customer}/grants`, { feature: 'tokens', ...body })
  const reserve = (customer: string, quantity: string) =>
    tollgate.call('POST', '/v1/reservations', { customer, feature: 'tokens', quantity })

  test('an override counts at once, keeps the usage, and its removal returns to the plan', async () => {
    await subscribe('over')
    await use('over', 80)
    expect((await decide('over', '21')).code).toBe('hard_limit_reached')
    const path = '/v1/customers/over/entitlements/tokens'
    const made = await tollgate.call('PUT', path, { limit: '200', limitType: 'hard', onUncertain: 'allow' })
    expect([made.status, made.body]).toMatchObject([201, { customer: 'over', feature: 'tokens', limit: '200', onUncertain: 'allow' }])
    expect(await decide('over', '120')).toMatchObject({ code: 'within_limit', balance: { used: '80', limit: '200' } })
    expect((await decide('over', '121')).code).toBe('hard_limit_reached')
    expect((await tollgate.call('PUT', path, { limit: '50', limitType: 'hard' })).status).toBe(200)
    expect(await balance('over')).toMatchObject({ used: '80', limit: '50', remaining: '0', overage: '30', hasAccess: false })
    expect((await tollgate.call('DELETE', path)).status).toBe(204)
    expect((await tollgate.call('DELETE', path)).body).toMatchObject({ code: 'unknown_entitlement' })
    expect(await balance('over')).toMatchObject({ used: '80', limit: '100', remaining: '20', overage: '0' })
  })

  test('an override works without any subscription, for features of every type', async () => {
    await tollgate.ok('PUT', '/v1/customers/lone', {})
    expect((await decide('lone', '1')).code).toBe('no_entitlement')
    await tollgate.ok('PUT', '/v1/customers/lone/entitlements/tokens', { limit: 10, reset: 'never' })
    await tollgate.ok('PUT', '/v1/customers/lone/entitlements/sso', {})
    await tollgate.ok('PUT', '/v1/customers/lone/entitlements/region', { value: { zone: 1 } })
    await use('lone', 4)
    expect(await balance('lone')).toMatchObject({ limit: '10', used: '4', remaining: '6', period: null })
    expect(await balance('lone', 'sso')).toMatchObject({ hasAccess: true })
    expect(await balance('lone', 'region')).toMatchObject({ value: { zone: 1 } })
    expect(await tollgate.ok('GET', '/v1/customers/lone/entitlements/region')).toMatchObject({ value: { zone: 1 } })
  })

  test('a grant of now takes effect on arrival, when now is past', async () => {
    await subscribe('granted now')
    const sentMs = Date.now()
    const given = await grant('granted now', { amount: '5', effectiveAt: new Date(sentMs).toISOString() })
    expect(Date.parse(given.effectiveAt)).toBeGreaterThanOrEqual(sentMs)
    expect(await balance('granted now')).toMatchObject({ limit: '105', remaining: '105' })
    await use('granted now', 3)
    expect((await balance('granted now')).remaining).toBe('102')
  })

  test('grants burn in their order beside the plan, what expires and what is voided is gone', async () => {
    await subscribe('granted')
    const last = await grant('granted', { amount: '30', priority: 200 })
    const first = await grant('granted', { amount: 20 })
    const later = await grant('granted', { amount: '5', effectiveAt: new Date(Date.now() + HOUR_MS).toISOString() })
    const order = async () => (await balance('granted')).sources.map(({ source, id, remaining }) => [id ?? source, remaining])
    expect(await order()).toEqual([
      [first.id, '20'],
      ['plan', '100'],
      [last.id, '30'],
    ])
    await use('granted', 25)
    expect(await balance('granted')).toMatchObject({ limit: '150', used: '25', remaining: '125', overage: '0' })
    expect(await order()).toEqual([
      [first.id, '0'],
      ['plan', '95'],
      [last.id, '30'],
    ])
    expect((await decide('granted', '125')).code).toBe('within_limit')
    expect((await decide('granted', '125.000000001')).code).toBe('hard_limit_reached')
    const voided = await tollgate.ok<Grant>('POST', `/v1/grants/${last.id}/void`)
    expect(voided.voidedAt).not.toBeNull()
    expect((await decide('granted', '96')).code).toBe('hard_limit_reached')
    expect(await balance('granted')).toMatchObject({ limit: '120', remaining: '95' })
    const { data } = await tollgate.ok<{ data: Grant[] }>('GET', '/v1/customers/granted/grants?feature=tokens')
    expect(data.map(({ id }) => id).sort()).toEqual([first.id, last.id, later.id].sort())
  })

  test('a grant is gone the moment it expires, and usage that nothing covers stays overage', async () => {
    await subscribe('brief')
    await use('brief', 90)
    const { id } = await grant('brief', { amount: '1000', expiresAt: new Date(Date.now() + 2_000).toISOString() })
    expect((await decide('brief', '500')).allowed).toBe(true)
    await waitFor(async () => !(await decide('brief', '11')).allowed)
    expect((await balance('brief')).sources.map((source) => source.id)).not.toContain(id)
    await use('brief', 30)
    expect(await balance('brief')).toMatchObject({ used: '120', remaining: '0', overage: '20' })
    await grant('brief', { amount: '50' })
    expect(await balance('brief')).toMatchObject({ remaining: '50', overage: '20', hasAccess: true })
    expect((await decide('brief', '50')).code).toBe('within_limit')
  })

  test('a repeated grant under one Idempotency-Key is one grant', async () => {
    await subscribe('twice')
    const key = { 'idempotency-key': 'top-up-1' }
    const grants = [1, 2].map(() => tollgate.call('POST', '/v1/customers/twice/grants', { feature: 'tokens', amount: '7' }, key))
    const answers = await Promise.all(grants)
    const again = await tollgate.ok<Grant>('POST', '/v1/customers/twice/grants', { feature: 'tokens', amount: '7' }, key)
    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0)
    expect(await balance('twice')).toMatchObject({ limit: '107', sources: [{ id: again.id }, { source: 'plan' }] })
  })

  test('reservations hold up to what plan and grants leave, not one unit more', async () => {
    await subscribe('holder')
    await use('holder', 40)
    await grant('holder', { amount: '25' })
    const answers = await Promise.all(Array.from({ length: 30 }, () => reserve('holder', '10')))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(8)
    const [refused] = answers.filter(({ status }) => status !== 201)
    expect(refused).toMatchObject({ status: 409, body: { code: 'hard_limit_reached' } })
    expect(await balance('holder')).toMatchObject({ limit: '125', used: '40', held: '80', remaining: '5' })
    const ids = answers.filter(({ status }) => status === 201).map(({ body }) => (body as { id: string }).id)
    const settled = await tollgate.ok<{ settled: string; refused: string }>('POST', `/v1/reservations/${ids[0]}/settle`, { quantity: '20' })
    expect(settled).toMatchObject({ settled: '15', refused: '5' })
    for (const id of ids.slice(1)) await tollgate.ok('POST', `/v1/reservations/${id}/settle`, { quantity: '10' })
    await waitFor(async () => (await balance('holder')).held === '0')
    expect(await balance('holder')).toMatchObject({ used: '125', remaining: '0', overage: '0', hasAccess: false })
    expect((await reserve('holder', '0.000000001')).status).toBe(409)
  })

  test('unused units roll over for one period, and late events change what rolled', async () => {
    const startMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 3 * HOUR_MS
    await subscribe('roller', 'rolling', { startAt: new Date(startMs).toISOString() })
    // Each hour left 100 unused; half of it rolls over, cut at 30.
    expect(await balance('roller')).toMatchObject({ limit: '130', remaining: '130' })
    await use('roller', 90, Date.now() - HOUR_MS)
    // The hour before used the rolled units first: 30 + 60 of its 100, and half of the 40 left roll over.
    await waitFor(async () => (await balance('roller')).limit === '120')
    expect((await balance('roller')).sources.map(({ source, amount }) => [source, amount])).toEqual([
      ['rollover', '20'],
      ['plan', '100'],
    ])
  })

  test('two months of hours that roll over are folded up, and the balance stays what it was', async () => {
    const startMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 1_440 * HOUR_MS + 7_123
    await tollgate.ok('PUT', '/v1/customers/folded', {})
    const old = [1, 5, 30].map((days) => Date.now() - days * 24 * HOUR_MS)
    for (const time of old) await use('folded', 70, time)
    await subscribe('folded', 'rolling', { startAt: new Date(startMs).toISOString() })
    const before = await balance('folded')
    expect(before).toMatchObject({ limit: '130', used: '0', remaining: '130' })
    await waitFor(async () => Number(/^tollgate_allowance_folds_total (\d+)/m.exec((await tollgate.call('GET', '/metrics')).text)?.[1]) > 0)
    await use('folded', 40)
    expect(await balance('folded')).toMatchObject({ limit: '130', used: '40', remaining: '90' })
    await use('folded', 120, Date.now() - HOUR_MS)
    await waitFor(async () => (await balance('folded')).limit === '105')
  })

  test('a reset by hand gives the allowance back, stays on record, and leaves grants burned', async () => {
    await subscribe('fresh')
    const { id } = await grant('fresh', { amount: '10' })
    await use('fresh', 115)
    expect(await balance('fresh')).toMatchObject({ used: '115', overage: '5', remaining: '0' })
    const reset = await tollgate.ok<Reset>('POST', '/v1/customers/fresh/balances/tokens/reset', { reason: 'an outage' })
    expect(reset).toMatchObject({
      by: expect.stringMatching(/^key_/),
      reason: 'an outage',
      before: { used: '115', remaining: '0', overage: '5' },
      after: { used: '0', remaining: '100', overage: '0' },
    })
    const after = await balance('fresh')
    expect(after).toMatchObject({ used: '0', remaining: '100', overage: '0', period: { start: reset.at } })
    expect(after.sources.map((source) => source.id)).not.toContain(id)
    await use('fresh', 60)
    expect((await decide('fresh', '41')).code).toBe('hard_limit_reached')
    const { data } = await tollgate.ok<{ data: Reset[] }>('GET', '/v1/customers/fresh/balances/tokens/resets')
    expect(data).toEqual([reset])
  })

  test('a change of plan keeps usage and grants, and judges by the new limit at once', async () => {
    const { id } = await subscribe('mover')
    await grant('mover', { amount: '50', priority: 200 })
    await use('mover', 120)
    expect(await balance('mover')).toMatchObject({ remaining: '30', overage: '0' })
    await tollgate.ok('POST', `/v1/subscriptions/${id}/change`, { plan: 'thousand', at: 'now' })
    expect(await balance('mover')).toMatchObject({ used: '120', limit: '1050', remaining: '930' })
  })

  test('a grant that was burned does not come back with a new subscription', async () => {
    const { id } = await subscribe('returning')
    await grant('returning', { amount: '50' })
    await use('returning', 45)
    await tollgate.ok('POST', `/v1/subscriptions/${id}/cancel`, { at: 'now' })
    expect((await decide('returning', '1')).code).toBe('no_entitlement')
    await subscribe('returning', 'thousand')
    expect(await balance('returning')).toMatchObject({ used: '0', remaining: '1005', limit: '1005' })
  })

  test('all of it is there after kill -9', async () => {
    await subscribe('survivor')
    await grant('survivor', { amount: '50' })
    await use('survivor', 70)
    await tollgate.ok('POST', '/v1/customers/survivor/balances/tokens/reset', {})
    await grant('survivor', { amount: '5', priority: 1 })
    await use('survivor', 6)
    const before = await balance('survivor')
    await tollgate.kill()
    tollgate = await startTollgate({ dataDir: tollgate.dataDir })
    await waitFor(async () => (await balance('survivor')).used === before.used)
    expect(await balance('survivor')).toEqual(before)
  })

  test.each([
    { why: 'an unknown customer', path: 'nobody/grants', body: { feature: 'tokens', amount: 1 }, status: 404, code: 'unknown_customer' },
    { why: 'an unknown feature', path: 'lone/grants', body: { feature: 'tokes', amount: 1 }, status: 400, code: 'unknown_feature' },
    { why: 'a boolean feature', path: 'lone/grants', body: { feature: 'sso', amount: 1 }, status: 409, code: 'feature_not_metered' },
    { why: 'a unique count', path: 'lone/grants', body: { feature: 'models', amount: 1 }, status: 409, code: 'feature_not_additive' },
    { why: 'an amount of 0', path: 'lone/grants', body: { feature: 'tokens', amount: '0' }, status: 400, code: 'invalid_quantity' },
    { why: 'a negative amount', path: 'lone/grants', body: { feature: 'tokens', amount: -1 }, status: 400, code: 'invalid_quantity' },
    { why: 'ten digits', path: 'lone/grants', body: { feature: 'tokens', amount: '0.0000000001' }, status: 400, code: 'invalid_quantity' },
    {
      why: 'an effect in the past',
      path: 'lone/grants',
      body: { feature: 'tokens', amount: 1, effectiveAt: '2024-01-01T00:00:00Z' },
      status: 400,
      code: 'effective_in_past',
    },
    {
      why: 'an expiry before the effect',
      path: 'lone/grants',
      body: { feature: 'tokens', amount: 1, effectiveAt: '2999-01-02T00:00:00Z', expiresAt: '2999-01-02T00:00:00Z' },
      status: 400,
      code: 'expires_too_early',
    },
    { why: 'reset of a boolean', path: 'lone/balances/sso/reset', body: {}, status: 409, code: 'feature_not_metered' },
    { why: 'reset of nothing', path: 'lone/balances/models/reset', body: {}, status: 409, code: 'no_entitlement' },
    { why: 'reset of an unknown feature', path: 'lone/balances/tokes/reset', body: {}, status: 404, code: 'unknown_feature' },
    { why: 'reset of an unknown customer', path: 'nobody/balances/tokens/reset', body: {}, status: 404, code: 'unknown_customer' },
  ])('POST refused: $why', async ({ path, body, status, code }) => {
    expect(await tollgate.call('POST', `/v1/customers/${path}`, body)).toMatchObject({ status, body: { code } })
  })

  test.each([
    { why: 'priority out of range', path: 'lone/grants', body: { feature: 'tokens', amount: 1, priority: 256 } },
    { why: 'no time', path: 'lone/grants', body: { feature: 'tokens', amount: 1, expiresAt: 'tomorrow' } },
    { why: 'a property that is not ours', path: 'lone/grants', body: { feature: 'tokens', amount: 1, prio: 1 } },
  ])('a grant with $why is 400', async ({ path, body }) => {
    expect((await tollgate.call('POST', `/v1/customers/${path}`, body)).status).toBe(400)
  })

  test.each([
    { why: 'a negative limit', feature: 'tokens', body: { limit: -1 }, status: 400, code: 'invalid_quantity' },
    { why: 'rollover without limit', feature: 'tokens', body: { rollover: { percent: 1 } }, status: 400, code: 'rollover_without_limit' },
    { why: 'more than all of it', feature: 'tokens', body: { limit: 1, rollover: { percent: 101 } }, status: 400, code: 'invalid_percent' },
    { why: 'a value for units', feature: 'tokens', body: { value: 1 }, status: 400, code: 'value_not_taken' },
    { why: 'a limit for a boolean', feature: 'sso', body: { limit: 1 }, status: 400, code: 'not_metered' },
    { why: 'a boolean that is none', feature: 'sso', body: { value: 'yes' }, status: 400, code: 'invalid_value' },
    { why: 'a config without value', feature: 'region', body: {}, status: 400, code: 'missing' },
    { why: 'an unknown feature', feature: 'tokes', body: {}, status: 404, code: 'unknown_feature' },
  ])('an override with $why is $status $code', async ({ feature, body, status, code }) => {
    expect(await tollgate.call('PUT', `/v1/customers/lone/entitlements/${feature}`, body)).toMatchObject({ status, body: { code } })
    expect(await tollgate.call('PUT', `/v1/customers/nobody/entitlements/sso`, {})).toMatchObject({ status: 404 })
  })

  test.each([
    { method: 'POST', path: '/v1/grants/grant_none/void', code: 'unknown_grant' },
    { method: 'GET', path: '/v1/customers/nobody/grants', code: 'unknown_customer' },
    { method: 'GET', path: '/v1/customers/returning/entitlements/tokens', code: 'unknown_entitlement' },
  ])('$method $path is 404 $code', async ({ method, path, code }) => {
    expect(await tollgate.call(method, path)).toMatchObject({ status: 404, body: { code } })
  })

  test('the counters of all these stretches of time are what the events say', async () => {
    expect(await tollgate.stop()).toBe(0)
    const verify = await runTollgate(['verify'], { TOLLGATE_DATA_DIR: tollgate.dataDir })
    expect(verify, verify.output).toMatchObject({ code: 0 })
    expect(verify.output).toMatch(/no difference/i)
  })
})
