import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openConnections } from '../support/http-connections.ts'
import { inLongRun } from '../support/long-run.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import {
  type Answer,
  removeDirectory,
  startTollgate,
  type TollgateProcess,
  temporaryDirectory,
  waitFor,
} from '../support/servers/tollgate-process.ts'

type Balance = { used: string; held: string; remaining: string; limit: string }
type Reservation = { id: string; status: string; quantity: string; settled?: string; refused?: string; balance: Balance }

const balanceOf = (tollgate: TollgateProcess, customer: string, feature = 'runs') =>
  tollgate.ok<Balance>('GET', `/v1/customers/${customer}/balances/${feature}`)

/** Enough to meet in every queue on the way; a multiple of a hundred. */
const UNITS = inLongRun(10_000, 1_000)

describe('a hard limit is never passed', () => {
  let tollgate: TollgateProcess
  beforeAll(async () => {
    tollgate = await startTollgate()
    await createCatalog(tollgate)
  })
  afterAll(async () => {
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  })

  test('a limit of 500 and 20 reservations of 75 at once: exactly 6', async () => {
    await subscribe(tollgate, 'few', 'p500')
    const body = { customer: 'few', feature: 'runs', quantity: '75' }
    const answers = await Promise.all(Array.from({ length: 20 }, () => tollgate.call('POST', '/v1/reservations', body)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(6)
    expect(answers.filter((answer) => codeOf(answer) === 'hard_limit_reached')).toHaveLength(14)
    expect(await balanceOf(tollgate, 'few')).toMatchObject({ used: '0', held: '450', remaining: '50' })
  })

  test('events, direct holds and settlements share one limit', async () => {
    await subscribe(tollgate, 'mixed', 'p500')
    const events = Array.from({ length: 300 }, (_, n) => ({ id: `e${n}`, type: 'agent.run', customer: 'mixed' }))
    await tollgate.ok('POST', '/v1/events', events)
    await waitFor(async () => (await balanceOf(tollgate, 'mixed')).used === '300')
    const reserve = (quantity: string) => tollgate.call('POST', '/v1/reservations', { customer: 'mixed', feature: 'runs', quantity })
    expect((await reserve('201')).status).toBe(409)
    const held = await reserve('150')
    expect(held).toMatchObject({ status: 201, body: { balance: { used: '300', held: '150', remaining: '50' } } })
    const path = `/v1/reservations/${(held.body as Reservation).id}`
    expect(await tollgate.ok('POST', `${path}/settle`, { quantity: '260' })).toMatchObject({ settled: '200', refused: '60' })
    expect(await tollgate.ok('POST', `${path}/settle`, { quantity: '260' })).toMatchObject({ settled: '200', refused: '60' })
    await waitFor(async () => (await balanceOf(tollgate, 'mixed')).used === '500')
    expect(await balanceOf(tollgate, 'mixed')).toMatchObject({ used: '500', held: '0', remaining: '0' })
  })

  test('what is settled is usage like any other: priced by its properties, counted by every meter, once', async () => {
    await tollgate.ok('PUT', '/v1/meters/tokens', {
      ...{ eventType: 'llm.request', aggregation: 'sum', value: 'tokens', dimensions: { model: 'model', kind: 'kind' } },
    })
    await tollgate.ok('PUT', '/v1/meters/requests', { eventType: 'llm.request', aggregation: 'count', dimensions: { model: 'model' } })
    await tollgate.ok('PUT', '/v1/features/tokens', { type: 'metered', meter: 'tokens' })
    const flat = (key: string, unitAmount: string) => ({
      ...{ key, feature: 'tokens', filter: { model: [key] }, price: { model: 'flat', unitAmount } },
    })
    await tollgate.ok('PUT', '/v1/plans/llm', {
      ...{ product: 'agents', name: 'LLM', currency: 'EUR', interval: 'month', charges: [flat('large', '0.01'), flat('small', '0.001')] },
      entitlements: [{ feature: 'tokens', limit: '100000', limitType: 'hard', reset: 'month' }],
    })
    await tollgate.ok('PUT', '/v1/customers/llm', {})
    const subscription = await tollgate.ok<{ id: string }>('POST', '/v1/subscriptions', { customer: 'llm', plan: 'llm' })
    const reserve = (id: string, more: object = {}) =>
      tollgate.ok<Reservation>('POST', '/v1/reservations', { id, customer: 'llm', feature: 'tokens', quantity: '4000', ...more })

    await reserve('by-quantity')
    const settled = await tollgate.ok<Reservation>('POST', '/v1/reservations/by-quantity/settle', {
      quantity: 2306,
      data: { model: 'large' },
    })
    expect(settled).toMatchObject({ settled: '2306', refused: '0', balance: { limit: '100000', remaining: '97694' } })
    await reserve('at-once', { quantity: '1000', settle: true, data: { model: 'small', kind: 'input' } })
    await reserve('by-events')
    const event = (kind: string, tokens: number) => ({ type: 'llm.request', data: { model: 'large', kind, tokens } })
    const events = [event('input', 500), event('output', 200), { ...event('cached', 100), id: 'sent-too' }]
    expect(await tollgate.ok('POST', '/v1/reservations/by-events/settle', { events })).toMatchObject({ settled: '800', refused: '0' })
    expect(await tollgate.ok('POST', '/v1/reservations/by-events/settle', { events })).toMatchObject({ settled: '800', refused: '0' })
    await tollgate.ok('POST', '/v1/events', [{ ...event('cached', 100), id: 'sent-too', customer: 'llm' }])
    await tollgate.ok('POST', '/v1/usage', {
      ...{ customer: 'llm', feature: 'tokens', quantity: 4, behaviour: 'delta' },
      data: { model: 'small' },
    })

    await waitFor(async () => (await balanceOf(tollgate, 'llm', 'tokens')).used === '4110')
    expect(await balanceOf(tollgate, 'llm', 'tokens')).toMatchObject({ used: '4110', held: '0' })
    const usage = (meter: string, groupBy: string) =>
      tollgate.ok<{ data: { value: string; dimensions: object }[] }>(
        ...(['GET', `/v1/meters/${meter}/usage?customer=llm&groupBy=${groupBy}&from=${FROM}&to=${TO}`] as const),
      )
    await waitFor(async () => (await usage('requests', 'model')).data[0]?.value === '3')
    const byKind = (await usage('tokens', 'model,kind')).data.map(({ value, dimensions }) => [...Object.values(dimensions), value])
    expect(byKind.sort()).toEqual([
      ['large', '', '2306'],
      ['large', 'cached', '100'],
      ['large', 'input', '500'],
      ['large', 'output', '200'],
      ['small', '', '4'],
      ['small', 'input', '1000'],
    ])
    const { lines } = await tollgate.ok<{ lines: { charge?: string; quantity: string; amount: string }[] }>(
      ...(['GET', `/v1/subscriptions/${subscription.id}/upcoming-invoice`] as const),
    )
    expect(lines.map(({ charge, quantity, amount }) => [charge, quantity, amount])).toEqual([
      ['large', '3106', '31.06'],
      ['small', '1004', '1.00'],
    ])
  })

  test(`${UNITS} units and twice as many who want one from 50 connections: exactly ${UNITS}; then used + held stays exact`, async () => {
    const customer = 'many'
    await subscribe(tollgate, customer, `p${UNITS}`)
    const connections = openConnections(tollgate, 50)
    const reserve = async (ttlMs: number) =>
      connections.post('/v1/reservations', { customer, feature: 'runs', quantity: 1, ttlMs }) as Promise<{
        status: number
        body: Reservation
      }>
    const held: string[] = []
    let refused = 0
    await connections.forEach(Array(2 * UNITS).fill(null), async () => {
      const { status, body } = await reserve(600_000)
      if (status === 201) held.push(body.id)
      else if (status === 409) refused++
    })
    expect([held.length, refused]).toEqual([UNITS, UNITS])
    expect(new Set(held).size).toBe(UNITS)
    expect(await balanceOf(tollgate, customer)).toMatchObject({ used: '0', held: String(UNITS), remaining: '0' })

    // A third is settled, a third released, and holds that soon expire ask for the freed units again.
    let settledUnits = 0
    let isWatching = true
    const watch = (async () => {
      while (isWatching) {
        const { used, held: heldNow } = await balanceOf(tollgate, customer)
        expect(Number(used) + Number(heldNow)).toBeLessThanOrEqual(UNITS)
      }
    })()
    await connections.forEach(held.slice(0, UNITS * 0.6), async (id, index) => {
      if (index % 2 === 0) {
        const { body } = await connections.post(`/v1/reservations/${id}/settle`, { quantity: index % 4 === 0 ? 1 : '0.5' })
        settledUnits += Number(body.settled)
      } else {
        expect((await connections.post(`/v1/reservations/${id}/release`, {})).status).toBe(200)
        if (index % 3 === 0) expect((await reserve(1_000)).status).toBe(201)
      }
    })
    isWatching = false
    await watch
    connections.close()
    expect(settledUnits).toBe(UNITS * 0.225)
    const left = { used: String(UNITS * 0.225), held: String(UNITS * 0.4), remaining: String(UNITS * 0.375) }
    await waitFor(async () => (await balanceOf(tollgate, customer)).held === left.held)
    await waitFor(async () => (await balanceOf(tollgate, customer)).used === left.used)
    expect(await balanceOf(tollgate, customer)).toMatchObject(left)
  })
})

const DAY_MS = 86_400_000
const FROM = new Date(Date.now() - DAY_MS).toISOString()
const TO = new Date(Date.now() + DAY_MS).toISOString()

const LIMIT = 2_000
const CLIENTS = 12
const KILLS = 3

describe('through kill -9 at random points', () => {
  const seed = Number(process.env.TOLLGATE_TEST_SEED ?? Date.now() % 1_000_000)
  const random = createSeededRandom(seed)
  /** The last answer that the client got, for every reservation. */
  const answered = new Map<string, Reservation>()
  let tollgate: TollgateProcess
  let dataDir: string
  let isDone = false

  beforeAll(async () => {
    console.info(`seed ${seed}: TOLLGATE_TEST_SEED=${seed} runs it again`)
    dataDir = await temporaryDirectory()
    tollgate = await startTollgate({ dataDir })
    await createCatalog(tollgate)
    await subscribe(tollgate, 'acme', `p${LIMIT}`)
  })
  afterAll(async () => {
    isDone = true
    await tollgate.kill()
    await removeDirectory(dataDir)
  })

  /** As a client does it: the same request again until it is answered. */
  const persistently = async (path: string, body: object): Promise<Answer> => {
    for (;;) {
      const answer = await tollgate.call('POST', path, body).catch(() => null)
      if (answer !== null && answer.status < 500 && answer.status !== 429) return answer
      if (isDone && answer === null) throw new Error('the server is gone')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const client = async (number: number) => {
    for (let turn = 0; !isDone; turn++) {
      const id = `c${number}-${turn}`
      const quantity = random.between(1, 30)
      const settle = random.below(100) < 5
      const held = await persistently('/v1/reservations', { id, customer: 'acme', feature: 'runs', quantity, ttlMs: 3_600_000, settle })
      if (codeOf(held) === 'hard_limit_reached') continue
      expect([200, 201]).toContain(held.status)
      answered.set(id, held.body as Reservation)
      if (settle) continue
      const path = `/v1/reservations/${id}`
      const fate = random.below(100)
      const events = Array.from({ length: Math.ceil(quantity / 2) }, () => ({ type: 'agent.run', data: {} }))
      if (fate < 8) answered.set(id, (await persistently(`${path}/settle`, { events })).body as Reservation)
      else if (fate < 15)
        answered.set(id, (await persistently(`${path}/settle`, { quantity: Math.ceil(quantity / 2) })).body as Reservation)
      else if (fate < 85) answered.set(id, (await persistently(`${path}/release`, {})).body as Reservation)
    }
  }
  const isFull = async () => Number((await balanceOf(tollgate, 'acme')).remaining) < 30

  test('clients that retry never get beyond the limit, and no answered hold or settlement is lost', async () => {
    const clients = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)))
    for (let kill = 0; kill < KILLS; kill++) {
      const goal = answered.size + random.between(20, 139)
      await waitFor(async () => answered.size >= goal || (await isFull()))
      await tollgate.kill()
      tollgate = await startTollgate({ dataDir })
      const { used, held } = await balanceOf(tollgate, 'acme')
      expect(Number(used) + Number(held), `seed ${seed}`).toBeLessThanOrEqual(LIMIT)
    }
    isDone = true
    await clients

    const lost: string[] = []
    let usedUnits = 0
    let heldUnits = 0
    for (const [id, { status, quantity, settled }] of answered) {
      const now = await tollgate.ok<Reservation>('GET', `/v1/reservations/${id}`)
      if (now.status !== status || now.quantity !== quantity || now.settled !== settled) lost.push(`${id}: ${status} became ${now.status}`)
      if (status === 'held') heldUnits += Number(quantity)
      if (status === 'settled') usedUnits += Number(settled)
    }
    expect(lost, `seed ${seed}`).toEqual([])
    await waitFor(async () => (await balanceOf(tollgate, 'acme')).used === String(usedUnits))
    expect(await balanceOf(tollgate, 'acme'), `seed ${seed}`).toMatchObject({ used: String(usedUnits), held: String(heldUnits) })
    expect(usedUnits + heldUnits).toBeLessThanOrEqual(LIMIT)
  })
})

async function createCatalog(tollgate: TollgateProcess): Promise<void> {
  await tollgate.ok('PUT', '/v1/meters/runs', { eventType: 'agent.run', aggregation: 'count' })
  await tollgate.ok('PUT', '/v1/features/runs', { type: 'metered', meter: 'runs' })
  await tollgate.ok('PUT', '/v1/products/agents', { name: 'Agents' })
  for (const limit of [500, LIMIT, UNITS].map(String)) {
    const entitlements = [{ feature: 'runs', limit, limitType: 'hard', reset: 'never' }]
    await tollgate.ok('PUT', `/v1/plans/p${limit}`, { product: 'agents', name: limit, currency: 'EUR', interval: 'month', entitlements })
  }
}

async function subscribe(tollgate: TollgateProcess, customer: string, plan: string): Promise<void> {
  await tollgate.ok('PUT', `/v1/customers/${customer}`, {})
  await tollgate.ok('POST', '/v1/subscriptions', { customer, plan })
}

function codeOf({ body }: Answer): string | undefined {
  return (body as { code?: string }).code
}
