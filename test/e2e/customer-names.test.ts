import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

type Rows = { data: { customer?: string; value: string; events: number }[] }
type Balance = { used: string; held: string; limit: string }

describe('one name, one customer', () => {
  let tollgate: TollgateProcess

  beforeAll(async () => {
    tollgate = await startTollgate()
    await tollgate.ok('PUT', '/v1/meters/n', { eventType: 't', aggregation: 'sum', value: 'n' })
    await tollgate.ok('PUT', '/v1/features/n', { type: 'metered', meter: 'n' })
    await tollgate.ok('PUT', '/v1/products/p', { name: 'P' })
    const entitlements = [{ feature: 'n', limit: '100', limitType: 'hard' }]
    await tollgate.ok('PUT', '/v1/plans/plan', { product: 'p', name: 'Plan', currency: 'EUR', interval: 'month', entitlements })
  })
  afterAll(async () => {
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  })

  const path = (name: string) => `/v1/customers/${encodeURIComponent(name)}`
  const put = (name: string, subjects: readonly string[] = []) => tollgate.ok('PUT', path(name), { subjects })
  const send = (...events: object[]) => tollgate.ok('POST', '/v1/events', events)
  const usage = async () => {
    const { data } = await tollgate.ok<Rows>('GET', '/v1/meters/n/usage?groupBy=customer')
    return Object.fromEntries(data.map(({ customer, value }) => [customer, value]))
  }
  const usageOf = async (name: string) => {
    const { data } = await tollgate.ok<Rows>('GET', `/v1/meters/n/usage?customer=${encodeURIComponent(name)}`)
    return data[0]?.value
  }
  /** All that was sent before is counted. */
  let probes = 0
  const counted = async () => {
    const id = `probe-${++probes}`
    await send({ id, type: 'probe', customer: 'probe' })
    await waitFor(async () => (await tollgate.call('GET', `/v1/events/${id}?customer=probe`)).status === 200)
  }

  test('a subject in `customer` is its customer’s, on every path', async () => {
    await put('acme', ['seat-1'])
    await tollgate.ok('POST', '/v1/subscriptions', { customer: 'seat-1', plan: 'plan' })
    await send(
      { id: 'a1', type: 't', customer: 'seat-1', data: { n: 3 } },
      { id: 'a2', type: 't', subject: 'seat-1', data: { n: 4 } },
      { id: 'a3', type: 't', customer: 'acme', data: { n: 5 } },
    )
    await tollgate.ok('POST', '/v1/usage', { customer: 'seat-1', feature: 'n', quantity: '1', behaviour: 'delta', id: 'r1' })
    await waitFor(async () => (await tollgate.ok<Balance>('GET', `${path('seat-1')}/balances/n`)).used === '13')
    await waitFor(async () => (await usage()).acme === '13')
    expect(await usageOf('seat-1')).toBe('13')
    expect(await tollgate.ok('POST', '/v1/decisions', { customer: 'seat-1', feature: 'n', quantity: '88' })).toMatchObject({
      allowed: false,
    })
    const held = await tollgate.ok<{ customer: string }>('POST', '/v1/reservations', {
      customer: 'seat-1',
      feature: 'n',
      quantity: '87',
      ttlMs: 1000,
    })
    expect(held.customer).toBe('acme')
    expect(await tollgate.ok('GET', path('seat-1'))).toMatchObject({ key: 'acme' })
    const { data } = await tollgate.ok<{ data: { id: string; subject: string | null }[] }>('GET', '/v1/events?customer=seat-1&type=t')
    expect(Object.fromEntries(data.map(({ id, subject }) => [id, subject]))).toEqual({ a1: 'seat-1', a2: 'seat-1', a3: null })
    // No customer seat-1 has appeared, so that acme can be put again.
    expect((await tollgate.call('PUT', path('acme'), { subjects: ['seat-1'], name: 'A' })).status).toBe(200)
    expect((await tollgate.call('PUT', path('seat-1'), {})).body).toMatchObject({ code: 'subject_taken' })
  })

  test.each([
    { title: 'with a time', time: new Date(Date.now() - 60_000).toISOString(), name: 'mover-1' },
    { title: 'without a time', time: undefined, name: 'mover-2' },
  ])('an event $title that is sent again after its subject has moved counts once', async ({ time, name }) => {
    const [a, b] = [`${name}-a`, `${name}-b`]
    const event = { id: 'm1', source: 'svc', type: 't', subject: name, data: { n: 7 }, ...(time === undefined ? {} : { time }) }
    await put(a, [name])
    await send(event)
    await put(a)
    await put(b, [name])
    await send(event)
    await send({ ...event, id: 'm2', data: { n: 1 }, time: new Date().toISOString() })
    await counted()
    await waitFor(async () => (await usageOf(b)) === '1')
    expect([await usageOf(a), await usageOf(b)]).toEqual(['7', '1'])
  })

  test.each(['auth0|5f7c', 'USER#1', 'dGVzdA==', 'a/b', '山田 太郎', '%2e%2e', 'a?b&c=d', '👩‍💻', '"quoted" \\ {p1}', 'x'.repeat(255)])(
    '%s is a customer on every route',
    async (name) => {
      await put(name, [`${name.slice(0, 200)}:seat`])
      await tollgate.ok('POST', '/v1/subscriptions', { customer: name, plan: 'plan' })
      await send(
        { id: 'k1', type: 't', customer: name, data: { n: 3 } },
        { id: 'k2', type: 't', subject: `${name.slice(0, 200)}:seat`, data: { n: 4 } },
      )
      await waitFor(async () => (await tollgate.ok<Balance>('GET', `${path(name)}/balances/n`)).used === '7')
      await waitFor(async () => (await usageOf(name)) === '7')
      expect((await usage())[name]).toBe('7')
      const { id } = await tollgate.ok<{ id: string }>('POST', '/v1/reservations', { customer: name, feature: 'n', quantity: '5' })
      await tollgate.ok('POST', `/v1/reservations/${id}/settle`, { quantity: '2' })
      await waitFor(async () => (await tollgate.ok<Balance>('GET', `${path(name)}/balances/n`)).used === '9')
      expect(await tollgate.ok('GET', `/v1/events/k2?customer=${encodeURIComponent(name)}`)).toMatchObject({ customer: name })
    },
  )

  test.each([
    { title: 'a subject that is its key', name: 'user-7', adopt: (adopter: string, name: string) => put(adopter, [name]) },
    {
      title: 'the route',
      name: 'user-8',
      adopt: async (adopter: string, name: string) => {
        await put(adopter)
        await tollgate.ok('POST', `${path(adopter)}/adopt`, { customer: name })
      },
    },
  ])('a customer that appeared by itself is adopted by $title, and all its usage is its adopter’s', async ({ name, adopt }) => {
    const adopter = `of-${name}`
    const before = { id: 'u1', type: 't', subject: name, data: { n: 3 }, time: new Date(Date.now() - 60_000).toISOString() }
    const both = { id: 'u2', type: 't', data: { n: 4 } }
    await send(before, { ...both, subject: name }, { ...both, id: 'u3', customer: name, data: { n: 5 } })
    await counted()
    await waitFor(async () => (await usage())[name] === '12')
    await adopt(adopter, name)
    await tollgate.ok('POST', '/v1/subscriptions', {
      customer: name,
      plan: 'plan',
      startAt: new Date(Date.now() - 3_600_000).toISOString(),
    })
    // Repeats, under either name, and what comes late.
    await send(before, { ...both, customer: adopter }, { ...both, subject: name }, { ...before, id: 'u4', data: { n: 10 } })
    await waitFor(async () => (await tollgate.ok<Balance>('GET', `${path(adopter)}/balances/n`)).used === '22')
    await counted()
    await waitFor(async () => (await usage())[adopter] === '22')
    const all = await usage()
    expect([all[name], all[adopter]]).toEqual([undefined, '22'])
    expect([await usageOf(name), await usageOf(adopter)]).toEqual(['22', '22'])
    const { data } = await tollgate.ok<{ data: { id: string; customer: string }[] }>('GET', '/v1/events?type=t&limit=1000')
    const its = data.filter(({ customer }) => customer === name || customer === adopter)
    expect(its.map(({ id, customer }) => `${customer} ${id}`).sort()).toEqual(['u1', 'u2', 'u3', 'u4'].map((id) => `${adopter} ${id}`))
    expect((await tollgate.call('PUT', path(name), {})).body).toMatchObject({ code: 'subject_taken' })
    expect(await tollgate.ok('GET', path(name))).toMatchObject({ key: adopter, subjects: [name] })
    expect((await tollgate.call('POST', `${path(adopter)}/adopt`, { customer: name })).status).toBe(200)
  })

  test.each(['', '.', '..', ' a', 'a\n', 'x'.repeat(256)])('%j is no name', async (name) => {
    const refused = await tollgate.call('POST', '/v1/events', { id: 'x', type: 't', customer: name })
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ code: 'invalid_customer' }] } })
    expect((await tollgate.call('PUT', path('any'), { subjects: [name] })).status).toBe(400)
    expect((await tollgate.call('POST', '/v1/decisions', { customer: name, feature: 'n' })).status).toBe(400)
  })
})
