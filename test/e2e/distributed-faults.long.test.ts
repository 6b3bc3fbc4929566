import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '@redis/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFaultRun, type FaultRun } from '../support/fault-run.ts'
import { type CappedLoad, setUpCapped, startCappedLoad } from '../support/models/capped-load.ts'
import { openDistributedStack } from '../support/servers/distributed-stack.ts'
import { runTollgate, waitFor } from '../support/servers/tollgate-process.ts'
import { TRACE_REQUESTS } from '../support/trace/real-trace.ts'
import { createTraceCatalog, subscribeTraceCustomers, TRACE_INVOICES_AT } from '../support/trace/trace-catalog.ts'
import { hostileBodies } from '../support/trace/trace-delivery.ts'
import { traceInvoices } from '../support/trace/trace-invoices.ts'

const SEED = Number(process.env.TOLLGATE_TEST_SEED ?? 1)
/** Long enough that flushes fail, are retried and stall; a minute and more would change nothing but the lag. */
const CLICKHOUSE_AWAY_MS = Number(process.env.TOLLGATE_TEST_CLICKHOUSE_AWAY_MS ?? 5_000)
const EVENTS_PER_REQUEST = 50
/** Events acknowledged while something is down, where the load goes on without it. */
const EVENTS_MEANWHILE = 20
const MOVES_ON_WITHIN_MS = 60_000
const FAULTS = 9

const { stack, missing } = await openDistributedStack({
  isOwn: true,
  brokers: 3,
  env: { TOLLGATE_STALLED_AFTER_MS: '2000', TOLLGATE_START_WAIT_MS: '120000' },
})
afterAll(() => stack?.discard())

/**
 * Two processes of each role on three brokers. The hostile trace is delivered through whichever gateway answers, a part of it
 * during each fault; single events, reservations under hard limits and decisions go on all the while, and each answer is judged.
 */
describe.skipIf(stack === null)(`faults of a distributed stack${missing === null ? '' : ` (not run: ${missing})`}`, () => {
  let run: FaultRun
  let load: CappedLoad
  const delivery = hostileBodies(EVENTS_PER_REQUEST)
  let delivered = 0

  beforeAll(async () => {
    if (stack === null) return
    run = createFaultRun(stack)
    await run.startAll()
    const [api] = run.processes.api
    if (api === undefined) throw new Error('the api runs')
    await createTraceCatalog(api)
    await api.ok('PUT', '/v1/meters/probes', { eventType: 'probe.event', aggregation: 'count' })
    await setUpCapped(run.api)
    load = startCappedLoad({ ingest: run.ingest, api: run.api, seed: SEED })
    await whileLoadHolds(() => waitFor(async () => load.counts.refused > 0 && load.counts.settled > 0, MOVES_ON_WITHIN_MS))
  })

  /** A difference in the load ends the test at once and names it. */
  const whileLoadHolds = <Value>(work: () => Promise<Value>) => Promise.race([load.failed, work()])

  /** The next part of the trace, and another one after it, come in while the fault takes place. */
  async function under(fault: string, hurt: () => Promise<void>, repair: () => Promise<void>, meanwhile?: () => Promise<void>) {
    await whileLoadHolds(async () => {
      const part = delivery.slice(delivered, delivered + Math.ceil(delivery.length / FAULTS))
      delivered += part.length
      const delivering = deliver(part)
      await Promise.all([delivering, run.disturb(fault, hurt, repair, meanwhile)])
    })
  }

  async function deliver(part: readonly string[]): Promise<void> {
    for (const body of part) {
      const answer = await run.ingest.send('POST', '/v1/events?backfill=true', body, { 'content-type': 'application/x-ndjson' })
      expect(answer, answer.text).toMatchObject({ status: 202, body: { rejected: [] } })
    }
  }

  const nothing = async () => undefined
  const movesOn = async () => {
    const { events, decisions } = load.counts
    await waitFor(async () => load.counts.events >= events + EVENTS_MEANWHILE && load.counts.decisions > decisions, MOVES_ON_WITHIN_MS)
  }
  const servers = () => {
    if (stack === null) throw new Error('the stack is there')
    return stack.servers
  }

  test('a broker is killed and brought back: the load goes on meanwhile', async () => {
    await under(
      'a broker of three killed',
      async () => servers().kill('kafka', 0),
      () => servers().start('kafka'),
      movesOn,
    )
  })

  test.each(['aggregator', 'ingest', 'api'] as const)(
    '%s: one of two is killed, and another one started later',
    async (role) => {
      await under(
        `${role} killed`,
        () => run.killOne(role),
        () => run.startOne(role),
        movesOn,
      )
    },
    180_000,
  )

  test('Redis is flushed: what was used is known again before it is answered from', async () => {
    const flush = async () => {
      load.holdsMayBeLost()
      await redisCommand(servers().urls.redis, 'FLUSHALL')
      load.holdsMayBeLost()
    }
    await under('Redis flushed', flush, nothing)
  })

  test('Redis is killed and comes back', async () => {
    const kill = async () => {
      servers().kill('redis')
      load.holdsMayBeLost()
    }
    await under('Redis killed', kill, () => servers().start('redis'))
    load.holdsMayBeLost()
  })

  test('PostgreSQL is restarted', async () => {
    await under(
      'PostgreSQL restarted',
      () => servers().stop('postgres'),
      () => servers().start('postgres'),
    )
  })

  test(
    'ClickHouse is away: events and decisions go on, the aggregators say why they do not, and catch up',
    async () => {
      const { clickhouse } = stack ?? {}
      const [aggregator] = run.processes.aggregator
      if (!clickhouse || !aggregator) throw new Error('they run')
      await under(`ClickHouse away for ${CLICKHOUSE_AWAY_MS} ms`, clickhouse.kill, clickhouse.start, async () => {
        await Promise.all([delay(CLICKHOUSE_AWAY_MS), movesOn()])
        await waitFor(async () => {
          const { status, body } = await aggregator.call('GET', '/readyz')
          const { ok, reasons } = (body as { stages: { aggregator: { ok: boolean; reasons: string[] } } }).stages.aggregator
          return status === 503 && !ok && reasons.some((reason) => /usage store at http/.test(reason))
        }, MOVES_ON_WITHIN_MS)
      })
    },
    180_000 + CLICKHOUSE_AWAY_MS,
  )

  test('every process is stopped and another one started, one at a time: what a client sends again is answered', async () => {
    const codes: (number | null)[] = []
    const roll = async () => {
      for (const role of ['ingest', 'aggregator', 'api'] as const) {
        for (const order of ['start first', 'stop first'] as const) codes.push(await run.roll(role, order))
      }
    }
    await under('rolling restart of all six', roll, nothing)
    expect(codes).toEqual([0, 0, 0, 0, 0, 0])
  })

  test('no acknowledged event is lost and none doubled, no hard limit was passed', async () => {
    await whileLoadHolds(() => deliver(delivery.slice(delivered)))
    await whileLoadHolds(load.end)
    await run.untilWell()
    await load.compare()
    expect(load.counts.refused).toBeGreaterThan(0)
    console.log(
      [
        JSON.stringify({ seed: SEED, ...load.counts, retries: run.ingest.retries() + run.api.retries() }),
        ...run.figures.map((each) => JSON.stringify(each)),
      ].join('\n'),
    )
  })

  test('usage per month and model and every invoice are what the requests cost to the cent', async () => {
    const [api1, api2] = run.processes.api
    if (!api1 || !api2) throw new Error('the apis run')
    const range = 'from=2023-11-01T00:00:00Z&to=2023-12-01T00:00:00Z'
    const events = async () =>
      (await api1.ok<{ data: { events: number }[] }>('GET', `/v1/meters/requests/usage?${range}`)).data[0]?.events ?? 0
    await waitFor(async () => (await events()) >= TRACE_REQUESTS)
    expect(await events()).toBe(TRACE_REQUESTS)
    const invoices = traceInvoices()
    const subscriptions = await subscribeTraceCustomers(api1, [...invoices.keys()])
    const total = async (id: string | undefined) =>
      (await api2.ok<{ total: string }>('GET', `/v1/subscriptions/${id}/upcoming-invoice?at=${TRACE_INVOICES_AT}`)).total
    for (const [customer, { perModel, graduated }] of invoices) {
      const ids = subscriptions.get(customer)
      expect(await total(ids?.perModel), customer).toBe(perModel.total)
      expect(await total(ids?.graduated), customer).toBe(graduated.total)
    }
  })

  test('every process stops cleanly, and verify finds no difference', async () => {
    await whileLoadHolds(load.end)
    for (const each of Object.values(run.processes).flat()) expect(await each.stop(), each.output().slice(-2_000)).toBe(0)
    const verify = await runTollgate(['verify'], { ...stack?.env })
    expect(verify, verify.output).toMatchObject({ code: 0 })
    expect(verify.output).toMatch(/no difference/i)
  })
})

async function redisCommand(url: string, ...words: string[]): Promise<void> {
  const client = createClient({ url })
  await client.connect()
  await client.sendCommand(words)
  client.destroy()
}
