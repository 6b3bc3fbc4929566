import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  removeDirectory,
  runTollgate,
  startTollgate,
  type TollgateProcess,
  temporaryDirectory,
  waitFor,
} from '../support/servers/tollgate-process.ts'

type Balance = { used: string; held: string; remaining: string; overage: string }

const DAY_MS = 86_400_000
/** Not on a whole minute: the period's first minute is read event by event. */
const SUBSCRIBED_AT_MS = Math.floor(Date.now() / 60_000) * 60_000 - 10 * DAY_MS + 12_000

describe('direct usage reports', () => {
  let tollgate: TollgateProcess
  let subscriptions: Map<string, string>
  beforeAll(async () => {
    tollgate = await startTollgate()
    await createCatalog(tollgate)
    subscriptions = new Map()
  })
  afterAll(async () => {
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  })

  const subscribed = async (customer: string) => {
    subscriptions.set(customer, await subscribe(tollgate, customer))
    return customer
  }
  const report = (body: object) => tollgate.call('POST', '/v1/usage', { feature: 'tokens', behaviour: 'delta', ...body })
  const balanceOf = (customer: string, feature = 'tokens') => tollgate.ok<Balance>('GET', `/v1/customers/${customer}/balances/${feature}`)
  const usedIs = (customer: string, used: string, feature?: string) =>
    waitFor(async () => (await balanceOf(customer, feature)).used === used)
  /** Wherever usage is shown: the meter's windows, and the invoice's line. */
  const shownFor = (customer: string, meter = 'tokens') => shown(tollgate, customer, subscriptions.get(customer) ?? '', meter)

  test('deltas add and take away, and a retry under its id counts once', async () => {
    const customer = await subscribed('adds')
    const first = { customer, quantity: '10.5', id: 'job/1' }
    expect(await report(first)).toMatchObject({ status: 202, body: { id: 'usage:job/1', quantity: '10.5', behaviour: 'delta' } })
    expect((await report(first)).status).toBe(202)
    await report({ customer, quantity: '-0.500000001' })
    await usedIs(customer, '9.999999999')
    expect(await shownFor(customer)).toEqual({ used: '9.999999999', events: 2, billed: '9.999999999' })
    const event = await tollgate.ok('GET', `/v1/events/usage:job%2F1?customer=${customer}`)
    expect(event).toMatchObject({ type: 'tollgate.usage', source: 'tollgate', data: { feature: 'tokens', quantity: '10.5' } })
  })

  test('a set replaces what the period had, wherever it came from; what comes later adds to it, late or not', async () => {
    const customer = await subscribed('sets')
    const at = (ms: number) => new Date(ms).toISOString()
    const event = (id: string, tokens: number, ms: number, model = 'a') =>
      tollgate.ok('POST', '/v1/events', { id, type: 'llm.request', customer, time: at(ms), data: { tokens, model } })
    await event('1', 100, SUBSCRIBED_AT_MS)
    await event('2', 1_000, SUBSCRIBED_AT_MS - 1)
    await event('3', 7, Date.now() - DAY_MS, 'not ours')
    await report({ customer, quantity: '5' })
    const set = await report({ customer, quantity: '40', behaviour: 'set', id: 's1' })
    expect(set).toMatchObject({ status: 202, body: { period: { start: at(SUBSCRIBED_AT_MS) } } })
    await usedIs(customer, '40')
    await event('4', 3, Date.now() - 5 * DAY_MS)
    await report({ customer, quantity: '2' })
    expect((await report({ customer, quantity: '40', behaviour: 'set', id: 's1' })).status).toBe(202)
    await usedIs(customer, '45')
    // Two in one read batch: the second sees the first.
    await Promise.all([
      tollgate.ok('POST', '/v1/events', { id: '5', type: 'llm.request', customer, data: { tokens: 11, model: 'b' } }),
      report({ customer, quantity: '60', behaviour: 'set' }),
      report({ customer, quantity: '60', behaviour: 'set' }),
    ])
    await event('6', 1, Date.now())
    await waitFor(async () => ['61', '72'].includes((await balanceOf(customer)).used))
    const { used } = await balanceOf(customer)
    expect(await shownFor(customer)).toMatchObject({ used, billed: used })
    const { data } = await tollgate.ok<{ data: { delta: string } }>('GET', `/v1/events/usage:s1?customer=${customer}`)
    expect(data.delta).toBe('-65')
  })

  test('below zero it is shown as it is, leaves more, and is billed as nothing', async () => {
    const customer = await subscribed('below')
    await report({ customer, quantity: '-30' })
    await usedIs(customer, '-30')
    expect(await balanceOf(customer)).toMatchObject({ used: '-30', remaining: '1030', overage: '0' })
    expect(await shownFor(customer)).toMatchObject({ used: '-30', billed: '-30' })
    const invoice = await tollgate.ok<{ total: string }>('GET', `/v1/subscriptions/${subscriptions.get(customer)}/upcoming-invoice`)
    expect(invoice.total).toBe('0.00')
  })

  test('a count counts events and reported units in one', async () => {
    const customer = await subscribed('counts')
    await tollgate.ok('POST', '/v1/events', { id: 'r', type: 'agent.run', customer })
    await report({ customer, feature: 'runs', quantity: '2.5' })
    await usedIs(customer, '3.5', 'runs')
    expect(await shownFor(customer, 'runs')).toEqual({ used: '3.5', events: 2, billed: '3.5' })
    await report({ customer, feature: 'runs', quantity: 1, behaviour: 'set' })
    await usedIs(customer, '1', 'runs')
    expect(await shownFor(customer, 'runs')).toMatchObject({ used: '1', billed: '1' })
  })

  test('a settled reservation shows in balance, windows and invoice exactly once', async () => {
    const customer = await subscribed('settles')
    const reserved = await tollgate.ok<{ id: string }>('POST', '/v1/reservations', { customer, feature: 'tokens', quantity: '100' })
    let isWatching = true
    const watch = (async () => {
      const seen = new Set<string>()
      while (isWatching) {
        const { used, held } = await balanceOf(customer)
        seen.add(`${used} ${held}`)
      }
      return seen
    })()
    for (let time = 0; time < 3; time++) await tollgate.ok('POST', `/v1/reservations/${reserved.id}/settle`, { quantity: '70' })
    await usedIs(customer, '70')
    isWatching = false
    expect([...(await watch)].filter((state) => !['0 100', '0 70', '70 0'].includes(state))).toEqual([])
    expect(await shownFor(customer)).toEqual({ used: '70', events: 1, billed: '70' })
  })

  test('up to the limit: takes what fits to the unit, whatever comes at once, says how much, and a retry takes nothing more', async () => {
    const customer = await subscribed('takes')
    await report({ customer, quantity: '100.5' })
    await usedIs(customer, '100.5')
    const upTo = (id: string, more = {}) => report({ customer, quantity: '75', upTo: 'limit', id, data: { model: 'b' }, ...more })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, nth) => upTo(`t${nth}`)))
    const taken = answers.map(({ body }) => (body as { taken: string }).taken)
    expect(taken.filter((each) => each === '75')).toHaveLength(11)
    expect(taken.filter((each) => each === '74.5')).toHaveLength(1)
    expect(taken.filter((each) => each === '0')).toHaveLength(8)
    const part = taken.indexOf('74.5')
    const answer = { quantity: '75', behaviour: 'delta', taken: '74.5', refused: '0.5', balance: { remaining: '0' } }
    expect(answers[part]).toMatchObject({ status: 202, body: { id: `usage:t${part}`, ...answer } })
    expect((await upTo(`t${part}`)).body).toMatchObject(answer)
    expect(await upTo(`t${part}`, { quantity: '76' })).toMatchObject({ status: 409, body: { code: 'report_id_reused' } })
    await usedIs(customer, '1000')
    // Once it has counted, under its id without a limit too.
    expect((await upTo(`t${part}`)).body).toMatchObject({ ...answer, balance: { used: '1000', held: '0' } })
    await report({ customer, quantity: '75', id: `t${part}` })
    expect(await shownFor(customer)).toEqual({ used: '1000', events: 13, billed: '1000' })
    const event = await tollgate.ok('GET', `/v1/events/usage:t${part}?customer=${customer}`)
    expect(event).toMatchObject({ data: { quantity: '74.5', properties: { model: 'b' } } })
  })

  test.each([
    { field: 'behaviour', more: { behaviour: 'set' } },
    { field: 'quantity', more: { quantity: '-1' } },
    { field: 'time', more: { time: new Date().toISOString() } },
  ])('up to the limit takes no other $field', async ({ field, more }) => {
    const answer = await report({ customer: 'c', quantity: '1', upTo: 'limit', ...more })
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ field }] } })
  })

  test('a meter made later, and one made anew, count what was reported for its key', async () => {
    const customer = await subscribed('later')
    await report({ customer, quantity: '8' })
    await report({ customer, quantity: '3', behaviour: 'set' })
    await usedIs(customer, '3')
    await tollgate.ok('PUT', '/v1/meters/tokens', { ...TOKENS_METER, dimensions: { model: 'model', region: 'region' } })
    await usedIs(customer, '3')
    expect(await shownFor(customer)).toEqual({ used: '3', events: 2, billed: '3' })
  })

  test.each<[string, object, number, string]>([
    ['an unknown feature', { feature: 'nothing' }, 404, 'unknown_feature'],
    ['a boolean feature', { feature: 'sso' }, 409, 'feature_not_metered'],
    ['a feature whose meter does not add up', { feature: 'peak' }, 409, 'feature_not_additive'],
    ['ten fractional digits', { quantity: '0.0000000001' }, 400, 'invalid_quantity'],
    ['no number', { quantity: 'many' }, 400, 'invalid_quantity'],
    ['a set below zero', { quantity: '-1', behaviour: 'set' }, 400, 'invalid_quantity'],
    ['a set without an entitlement', { customer: 'nobody', behaviour: 'set' }, 409, 'no_entitlement'],
    ['another behaviour', { behaviour: 'add' }, 400, 'invalid_request'],
    ['no behaviour', { behaviour: undefined }, 400, 'invalid_request'],
    ['a time too long ago', { time: new Date(Date.now() - 36 * DAY_MS).toISOString() }, 400, 'invalid_time'],
    ['a time too far ahead', { time: new Date(Date.now() + DAY_MS).toISOString() }, 400, 'invalid_time'],
    ['an unknown field', { units: 3 }, 400, 'invalid_request'],
  ])('%s is refused', async (_, body, status, code) => {
    const answer = await report({ customer: 'adds', quantity: '1', ...body })
    expect([answer.status, (answer.body as { code: string }).code]).toEqual([status, code])
  })

  test('its own event type is nobody else’s, and no meter reads it', async () => {
    const event = { id: 'x', type: 'tollgate.usage', customer: 'adds', data: { meter: 'tokens', quantity: '1000000' } }
    const answer = await tollgate.call('POST', '/v1/events', [event, { ...event, type: 'fine' }])
    expect(answer).toMatchObject({ status: 202, body: { accepted: 1, rejected: [{ index: 0, code: 'reserved_type' }] } })
    const meter = await tollgate.call('PUT', '/v1/meters/own', { eventType: 'tollgate.usage', aggregation: 'count' })
    expect(meter).toMatchObject({ status: 400, body: { errors: [{ code: 'reserved_type' }] } })
  })
})

const CUSTOMERS = 4
const TURNS = 50
const KILLS = 3

test('through kill -9 at random points, with clients that retry: every total is that of the reports in their order', {
  timeout: 180_000,
}, async () => {
  const seed = Number(process.env.TOLLGATE_TEST_SEED ?? Date.now() % 1_000_000)
  console.info(`seed ${seed} (TOLLGATE_TEST_SEED)`)
  const random = randomFrom(seed)
  const dataDir = await temporaryDirectory()
  let tollgate = await startTollgate({ dataDir })
  await createCatalog(tollgate)
  const customers = Array.from({ length: CUSTOMERS }, (_, number) => `c${number}`)
  const subscriptions = new Map<string, string>()
  for (const customer of customers) subscriptions.set(customer, await subscribe(tollgate, customer))
  const totals = new Map<string, number>(customers.map((customer) => [customer, 0]))
  let turns = 0

  /** As a client does it: the same request again until it is answered. */
  const persistently = async (path: string, body: object): Promise<Answer> => {
    for (;;) {
      const answer = await tollgate.call('POST', path, body).catch(() => null)
      if (answer !== null && answer.status < 500 && answer.status !== 429) return answer
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const client = async (customer: string) => {
    for (let turn = 0; turn < TURNS; turn++) {
      const quantity = Math.floor(random() * 100)
      const time = new Date(SUBSCRIBED_AT_MS + random() * (Date.now() - SUBSCRIBED_AT_MS)).toISOString()
      const kind = random()
      const before = totals.get(customer) ?? 0
      const usage = { customer, feature: 'tokens', id: `${customer}-${turn}`, time }
      if (kind < 0.5) {
        const data = { tokens: quantity, model: 'a' }
        await persistently('/v1/events', { id: `${turn}`, type: 'llm.request', customer, time, data })
        totals.set(customer, before + quantity)
      } else if (kind < 0.75) {
        await persistently('/v1/usage', { ...usage, quantity: quantity - 50, behaviour: 'delta' })
        totals.set(customer, before + quantity - 50)
      } else {
        expect((await persistently('/v1/usage', { ...usage, quantity, behaviour: 'set' })).status).toBe(202)
        totals.set(customer, quantity)
      }
      turns++
    }
  }
  const clients = Promise.all(customers.map(client))
  clients.catch(() => undefined)
  for (let kill = 1; kill <= KILLS; kill++) {
    await waitFor(async () => turns >= (kill * CUSTOMERS * TURNS) / (KILLS + 1))
    await tollgate.kill()
    tollgate = await startTollgate({ dataDir })
  }
  await clients
  for (const customer of customers) {
    const used = String(totals.get(customer))
    const balance = async () => (await tollgate.ok<Balance>('GET', `/v1/customers/${customer}/balances/tokens`)).used
    await waitFor(async () => (await balance()) === used).catch(async () => expect(await balance(), `seed ${seed}`).toBe(used))
    expect(await shown(tollgate, customer, subscriptions.get(customer) ?? '', 'tokens'), `seed ${seed}`).toMatchObject({
      used,
      billed: used,
    })
  }
  await tollgate.kill()
  const verify = await runTollgate(['verify'], { TOLLGATE_DATA_DIR: dataDir })
  expect(verify.output, `seed ${seed}`).toMatch(/no difference/i)
  expect(verify.code).toBe(0)
  await removeDirectory(dataDir)
})

const TOKENS_METER = { eventType: 'llm.request', aggregation: 'sum', value: 'tokens', dimensions: { model: 'model' } }

async function createCatalog(tollgate: TollgateProcess): Promise<void> {
  await tollgate.ok('PUT', '/v1/meters/tokens', TOKENS_METER)
  await tollgate.ok('PUT', '/v1/meters/runs', { eventType: 'agent.run', aggregation: 'count' })
  await tollgate.ok('PUT', '/v1/meters/peak', { eventType: 'llm.request', aggregation: 'max', value: 'tokens' })
  await tollgate.ok('PUT', '/v1/features/tokens', { type: 'metered', meter: 'tokens', filter: { model: ['a', 'b'] } })
  await tollgate.ok('PUT', '/v1/features/runs', { type: 'metered', meter: 'runs' })
  await tollgate.ok('PUT', '/v1/features/peak', { type: 'metered', meter: 'peak' })
  await tollgate.ok('PUT', '/v1/features/sso', { type: 'boolean' })
  await tollgate.ok('PUT', '/v1/products/agents', { name: 'Agents' })
  const entitlement = { limit: '1000', limitType: 'soft', reset: 'month', anchor: 'subscription' }
  const charge = (feature: string) => ({ key: feature, feature, price: { model: 'flat', unitAmount: '1' } })
  await tollgate.ok('PUT', '/v1/plans/pro', {
    ...{ product: 'agents', name: 'Pro', currency: 'EUR', interval: 'month' },
    entitlements: [
      { feature: 'tokens', ...entitlement },
      { feature: 'runs', ...entitlement },
    ],
    charges: [charge('tokens'), charge('runs')],
  })
}

async function subscribe(tollgate: TollgateProcess, customer: string): Promise<string> {
  await tollgate.ok('PUT', `/v1/customers/${customer}`, {})
  const startAt = new Date(SUBSCRIBED_AT_MS).toISOString()
  return (await tollgate.ok<{ id: string }>('POST', '/v1/subscriptions', { customer, plan: 'pro', startAt })).id
}

/** Once the usage store has everything: the windows' usage in the current period, and the quantity on the invoice. */
async function shown(tollgate: TollgateProcess, customer: string, subscription: string, feature: string) {
  type Usage = { data: { value: string; events: number }[]; asOf: string }
  const from = new Date(SUBSCRIBED_AT_MS).toISOString()
  const to = new Date(Date.now() + DAY_MS).toISOString()
  const filter = feature === 'tokens' ? '&filter[model]=a&filter[model]=b' : ''
  const read = () => tollgate.ok<Usage>('GET', `/v1/meters/${feature}/usage?customer=${customer}&from=${from}&to=${to}${filter}`)
  const sinceMs = Date.now()
  await waitFor(async () => Date.parse((await read()).asOf) >= sinceMs)
  const [usage] = (await read()).data
  const invoice = await tollgate.ok<{ lines: { charge?: string; quantity: string }[] }>(
    'GET',
    `/v1/subscriptions/${subscription}/upcoming-invoice`,
  )
  return { used: usage?.value, events: usage?.events, billed: invoice.lines.find(({ charge }) => charge === feature)?.quantity }
}

/** mulberry32, by Tommy Ettinger (public domain). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
