import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createClient } from '@clickhouse/client'
import { createChdbConnection } from 'chdb/connection'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CommandResult, removeDirectory, runTollgate, startTollgate, temporaryDirectory } from '../support/servers/tollgate-process.ts'

const CUSTOMERS = ['c0', 'c1', 'c2']
const EVENTS = 600
const TOTALS = { c0: '600', c1: '800', c2: '1000' }

type UsageAnswer = { data: { customer: string; value: string }[] }
type BalanceAnswer = { used: string }

/** The stores are damaged behind the server's back; `verify` has to see it, and `replay` to repair it. */
describe('replay', () => {
  let dataDir: string

  beforeAll(async () => {
    dataDir = await temporaryDirectory()
    const tollgate = await startTollgate({ dataDir })
    await tollgate.ok('PUT', '/v1/meters/units', { eventType: 'call', aggregation: 'sum', value: 'units', dimensions: { model: 'model' } })
    await tollgate.ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'count' })
    await tollgate.ok('PUT', '/v1/features/units', { type: 'metered', meter: 'units', unit: 'unit' })
    await tollgate.ok('PUT', '/v1/products/p', { name: 'P' })
    const entitlements = [{ feature: 'units', limit: '1000000', limitType: 'hard', reset: 'month' }]
    await tollgate.ok('PUT', '/v1/plans/pro', {
      ...{ product: 'p', name: 'Pro', currency: 'USD', interval: 'month', baseFee: '0.00', charges: [], entitlements },
    })
    for (const customer of CUSTOMERS) {
      await tollgate.ok('PUT', `/v1/customers/${customer}`, { name: customer })
      await tollgate.ok('POST', '/v1/subscriptions', { customer, plan: 'pro' })
      await tollgate.ok('GET', `/v1/customers/${customer}/balances/units`)
    }
    for (let from = 0; from < EVENTS; from += 100) await tollgate.ok('POST', '/v1/events', eventsFrom(from))
    // All of them once more: the repeats are in the log, and nowhere else.
    for (let from = 0; from < EVENTS; from += 100) await tollgate.ok('POST', '/v1/events', eventsFrom(from))
    expect(await tollgate.stop()).toBe(0)
  })

  afterAll(() => removeDirectory(dataDir))

  const run = (...args: string[]): Promise<CommandResult> => runTollgate(args, { TOLLGATE_DATA_DIR: dataDir })

  async function expectTrueTotals(): Promise<void> {
    const tollgate = await startTollgate({ dataDir })
    try {
      const range = 'from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z'
      const { data } = await tollgate.ok<UsageAnswer>('GET', `/v1/meters/units/usage?${range}&groupBy=customer`)
      expect(Object.fromEntries(data.map(({ customer, value }) => [customer, value]))).toEqual(TOTALS)
      for (const customer of CUSTOMERS) {
        const { used } = await tollgate.ok<BalanceAnswer>('GET', `/v1/customers/${customer}/balances/units`)
        expect(used).toBe(TOTALS[customer as keyof typeof TOTALS])
      }
    } finally {
      expect(await tollgate.stop()).toBe(0)
    }
  }

  test('what is sound is found sound, repeats and all', async () => {
    const { code, output } = await run('verify', '--json')
    const report = JSON.parse(output) as { isClean: boolean; partitions: { logEvents: number; logRepeats: number; events: number }[] }
    const sum = (field: 'logEvents' | 'logRepeats' | 'events') => report.partitions.reduce((total, each) => total + each[field], 0)
    expect([code, report.isClean]).toEqual([0, true])
    expect([sum('logEvents'), sum('logRepeats'), sum('events')]).toEqual([2 * EVENTS, EVENTS, EVENTS])
  })

  test('windows that are gone or wrong come back from the events', async () => {
    await damage(dataDir, [
      "DELETE FROM usage_windows WHERE customer = 'c1'",
      "INSERT INTO usage_windows SELECT * REPLACE (value_sum + 1 AS value_sum) FROM usage_windows FINAL WHERE customer = 'c2' AND meter = 'units'",
    ])
    const before = await run('verify', '--limit', '1')
    expect(before.code, before.output).toBe(1)
    expect(before.output).toMatch(/^usage_windows: meter \w+, customer c[12]/m)
    expect(before.output).toMatch(/more differences/)
    const replayed = await run('replay', '--from', 'events')
    expect(replayed.code, replayed.output).toBe(0)
    expect(replayed.output).toMatch(/After: no difference; \d+ differences repaired/)
    expect(await run('verify')).toMatchObject({ code: 0 })
    await expectTrueTotals()
  })

  test('killed at any step it has changed nothing, or is completed by the next start', async () => {
    await damage(dataDir, ["DELETE FROM usage_windows WHERE customer = 'c0'"])
    const damaged = await differences()
    expect(damaged).toBeGreaterThan(0)
    await killReplayAt(dataDir, /^Before/m)
    expect(await differences()).toBe(damaged)
    await killReplayAt(dataDir, /^partition 1/m)
    expect(await differences()).toBe(damaged)
    await killReplayAt(dataDir, /^windows swapped/m)
    await expectTrueTotals()
    expect(await run('verify')).toMatchObject({ code: 0 })
  })

  test('events that are gone, changed or added come back from the log', async () => {
    await damage(dataDir, [
      "INSERT INTO events SELECT * REPLACE ('stranger' AS id, log_index + 100000 AS log_index) FROM (SELECT * FROM events FINAL WHERE id = 'e5')",
      "DELETE FROM events WHERE id IN ('e3', 'e7', 'e9')",
      "ALTER TABLE events UPDATE data = replaceAll(data, '5', '77') WHERE id = 'e11' SETTINGS mutations_sync = 1",
    ])
    const before = await run('verify')
    expect(before.code, before.output).toBe(1)
    for (const id of ['e3', 'e7', 'e9', 'stranger']) expect(before.output).toContain(`event ${id} of`)
    const replayed = await run('replay', '--from', 'log')
    expect(replayed.code, replayed.output).toBe(0)
    expect(await run('verify')).toMatchObject({ code: 0 })
    await expectTrueTotals()
  })

  test('one meter alone', async () => {
    await damage(dataDir, ["DELETE FROM usage_windows WHERE customer = 'c0'"])
    expect(await run('replay', '--from', 'events', '--meter', 'calls')).toMatchObject({ code: 0 })
    const { code, output } = await run('verify')
    expect(code).toBe(1)
    expect(output).toContain('meter units')
    expect(output).not.toContain('meter calls')
    expect(await run('replay', '--from', 'events', '--meter', 'nothing')).toMatchObject({ code: 1 })
  })

  async function differences(): Promise<number> {
    const file = join(dataDir, 'verify.json')
    await run('verify', '--json', file)
    return (JSON.parse(await readFile(file, 'utf8')) as { differences: { total: number } }).differences.total
  }
})

/** Customer c0 gets 3 units 200 times, c1 4, c2 5. */
function eventsFrom(from: number): object[] {
  return Array.from({ length: 100 }, (_, at) => {
    const number = from + at
    return { id: `e${number}`, type: 'call', customer: `c${number % 3}`, data: { units: 3 + (number % 3), model: `m${number % 2}` } }
  })
}

async function damage(dataDir: string, statements: readonly string[]): Promise<void> {
  const connection = createChdbConnection({ path: join(dataDir, 'usage-store') })
  const client = createClient({ connection: connection as never })
  for (const query of statements) await client.command({ query })
  await client.close()
}

/** Replays from events, and kills the replay when it has printed `step`. */
async function killReplayAt(dataDir: string, step: RegExp): Promise<void> {
  const running = runTollgate(['replay', '--from', 'events'], { TOLLGATE_DATA_DIR: dataDir })
  let output = ''
  running.child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (step.test(output)) running.child.kill('SIGKILL')
  })
  const { code } = await running
  expect(code, `it ended before it could be killed:\n${output}`).toBeNull()
}
