import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openDistributedStack } from '../support/servers/distributed-stack.ts'
import { type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

const { stack, missing } = await openDistributedStack({ isOwn: true, env: { TOLLGATE_STALLED_AFTER_MS: '2000' } })
afterAll(() => stack?.discard())

/** Far below the 10 s after which an api would ask the catalog anew by itself. The test shows what it really takes. */
const NOTICED_WITHIN_MS = 5_000

describe.skipIf(stack === null)(`roles apart${missing === null ? '' : ` (not run: ${missing})`}`, () => {
  let ingest: TollgateProcess
  let aggregator: TollgateProcess
  let api1: TollgateProcess
  let api2: TollgateProcess

  beforeAll(async () => {
    if (stack === null) return
    const { servers, clickhouse } = stack
    await Promise.all([servers.stop('kafka'), servers.stop('postgres'), servers.stop('redis'), clickhouse.kill()])
    // Each is started before the servers that it needs.
    const starting = [stack.start('api')]
    await servers.start('redis')
    starting.push(stack.start('aggregator'))
    await servers.start('postgres')
    starting.push(stack.start('ingest'))
    await servers.start('kafka')
    starting.push(stack.start('api'))
    await clickhouse.start()
    const started = await Promise.all(starting)
    ;[api1, aggregator, ingest, api2] = started as [TollgateProcess, TollgateProcess, TollgateProcess, TollgateProcess]
    await api1.ok('PUT', '/v1/meters/runs', { eventType: 'run', aggregation: 'count' })
    await api1.ok('PUT', '/v1/features/runs', { type: 'metered', meter: 'runs' })
    await api1.ok('PUT', '/v1/features/export', { type: 'boolean' })
    await api1.ok('PUT', '/v1/products/p', { name: 'P' })
    const entitlements = [{ feature: 'runs', limit: '10', limitType: 'hard', reset: 'month' }]
    await api1.ok('PUT', '/v1/plans/small', { product: 'p', name: 'Small', currency: 'USD', interval: 'month', entitlements })
  })

  const runsCounted = async () =>
    (await api2.ok<{ data: { events: number }[] }>('GET', '/v1/meters/runs/usage')).data.reduce((sum, { events }) => sum + events, 0)

  test('started before any server, in any order, they wait for what they need and then work', async () => {
    await ingest.ok('POST', '/v1/events', { id: 'first', type: 'run', customer: 'early' })
    await waitFor(async () => (await runsCounted()) === 1)
  })

  test('an api drops what it has cached when another api changes it', async () => {
    const subscribe = () => api1.ok<{ id: string }>('POST', '/v1/subscriptions', { customer: 'acme', plan: 'small' })
    await api1.ok('PUT', '/v1/customers/acme', {})
    const limit = async () => (await decide(api2, 'runs')).balance.limit
    const changes = [
      { change: 'a subscription', make: subscribe, seen: async () => (await limit()) === '10' },
      {
        change: 'an override',
        make: () => api1.ok('PUT', '/v1/customers/acme/entitlements/runs', { limit: '25', limitType: 'hard', reset: 'month' }),
        seen: async () => (await limit()) === '25',
      },
      {
        change: 'the end of an override',
        make: () => api1.ok('DELETE', '/v1/customers/acme/entitlements/runs'),
        seen: async () => (await limit()) === '10',
      },
      {
        change: 'a feature for one customer',
        make: () => api1.ok('PUT', '/v1/customers/acme/entitlements/export', {}),
        seen: async () => (await decide(api2, 'export')).allowed,
      },
    ]
    const noticedMs: Record<string, number> = {}
    for (const { change, make, seen } of changes) {
      expect(await seen(), change).toBe(false)
      const loads = await entitlementLoads(api2)
      expect(await seen(), change).toBe(false)
      expect(await entitlementLoads(api2), `before ${change} it answers from its cache`).toBe(loads)
      await make()
      const madeAtMs = performance.now()
      await waitFor(seen, NOTICED_WITHIN_MS)
      noticedMs[change] = Math.round(performance.now() - madeAtMs)
    }
    console.log(JSON.stringify({ noticedMs }))
  })

  test('a key that is ended, and tokens that are, are refused on every process within a second', async () => {
    await api1.ok('PUT', '/v1/customers/acme', {})
    const processes = { ingest, aggregator, api1, api2 }
    const refusedAfterMs: Record<string, number[]> = { ingest: [], aggregator: [], api1: [], api2: [], token: [] }
    for (let round = 0; round < 5; round++) {
      const { id, key } = await api1.ok<{ id: string; key: string }>('POST', '/v1/keys', { name: 'short', scopes: ['admin'] })
      const statusAt = async (process: TollgateProcess) =>
        (await process.call('GET', '/metrics', undefined, { authorization: `Bearer ${key}` })).status
      for (const process of Object.values(processes)) expect(await statusAt(process)).toBe(200)
      await api1.ok('DELETE', `/v1/keys/${id}`)
      const endedAtMs = performance.now()
      const refused = Object.entries(processes).map(async ([name, process]) => {
        await waitFor(async () => (await statusAt(process)) === 401, NOTICED_WITHIN_MS)
        refusedAfterMs[name]?.push(Math.round(performance.now() - endedAtMs))
      })
      await Promise.all(refused)
      const { token } = await api1.ok<{ token: string }>('POST', '/v1/customer-tokens', { customer: 'acme', scopes: ['read'] })
      const tokenStatus = async () => (await api2.call('GET', '/v1/me/balances', undefined, { authorization: `Bearer ${token}` })).status
      await waitFor(async () => (await tokenStatus()) === 200, NOTICED_WITHIN_MS)
      await api1.ok('PUT', '/v1/customers/acme/tokens-not-before', {})
      const tokensEndedAtMs = performance.now()
      await waitFor(async () => (await tokenStatus()) === 401, NOTICED_WITHIN_MS)
      refusedAfterMs.token?.push(Math.round(performance.now() - tokensEndedAtMs))
    }
    console.log(JSON.stringify({ refusedAfterMs }))
    expect(Math.max(...Object.values(refusedAfterMs).flat())).toBeLessThan(1_000)
  })

  test('an aggregator whose statements wait for ever is not ready, though every server answers, and says what waits', async () => {
    const locking = new Client({ connectionString: stack?.env.DATABASE_URL ?? '' })
    await locking.connect()
    onTestFinished(() => locking.end())
    await locking.query('BEGIN')
    await locking.query('LOCK TABLE customers IN ACCESS EXCLUSIVE MODE')
    await ingest.ok('POST', '/v1/events', { id: 'second', type: 'run', customer: 'late' })
    await waitFor(async () => (await aggregator.call('GET', '/readyz')).status === 503)
    const { seams, stages } = (await aggregator.call('GET', '/readyz')).body as ReadinessBody
    const state = stages.aggregator
    expect(Object.values(seams).map(({ ok }) => ok)).toEqual([true, true, true, true, true, true])
    expect(state.ok).toBe(false)
    expect(state.reasons.join()).toMatch(/wait for the usage store|make new customers/)
    await locking.query('ROLLBACK')
    await waitFor(async () => (await runsCounted()) === 2)
    await waitFor(async () => (await aggregator.call('GET', '/readyz')).status === 200)
  })

  test('a consumer that Kafka gives nothing is not ready and says why', async () => {
    if (stack === null) return
    await stack.servers.stop('kafka')
    await waitFor(async () => {
      const { status, body } = await aggregator.call('GET', '/readyz')
      return status === 503 && /event log on Kafka.*Check KAFKA_BROKERS/.test((body as ReadinessBody).seams.eventLog?.detail ?? '')
    })
    await stack.servers.start('kafka')
    await waitFor(async () => (await aggregator.call('GET', '/readyz')).status === 200)
    await ingest.ok('POST', '/v1/events', { id: 'third', type: 'run', customer: 'late' })
    await waitFor(async () => (await runsCounted()) === 3)
  })
})

type ReadinessBody = {
  readonly seams: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>
  readonly stages: { readonly aggregator: { readonly ok: boolean; readonly reasons: readonly string[] } }
}

async function decide(api: TollgateProcess, feature: string) {
  return await api.ok<{ allowed: boolean; balance: { limit: string | null } }>('POST', '/v1/decisions', { customer: 'acme', feature })
}

/** How often it asked the catalog. */
async function entitlementLoads(api: TollgateProcess): Promise<number> {
  const metrics = (await api.call('GET', '/metrics')).text
  return Number(/^tollgate_entitlement_loads_total\{kind="customer"\} (\d+)$/m.exec(metrics)?.[1] ?? 0)
}
