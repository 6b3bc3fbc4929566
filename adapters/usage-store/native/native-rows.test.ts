import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createChdbConnection } from 'chdb/connection'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { formatQuantity } from '../../../domain/decimal.ts'
import type { CustomerKey, InstantMs, MeterKey, Offset, Partition, TenantKey } from '../../../domain/identity.ts'
import type { StoredEvent, WindowRow } from '../usage-store.ts'
import { encodeEvents, encodeTexts, encodeWindows, type NativeRows } from './native-rows.ts'

const event: StoredEvent = {
  tenant: 'default' as TenantKey,
  customer: 'acme' as CustomerKey,
  source: 'sdk',
  id: 'e1',
  type: 'llm.request',
  subject: null,
  occurredAtMs: Date.parse('2023-11-16T18:17:03.009Z') as InstantMs,
  receivedAtMs: Date.parse('2023-11-16T18:17:04.979Z') as InstantMs,
  data: '{"n":1}',
  attributes: null,
  partition: 3 as Partition,
  offset: 7 as Offset,
  index: 2,
}

const window: WindowRow = {
  tenant: 'default' as TenantKey,
  meter: 'tokens' as MeterKey,
  revision: 4,
  customer: 'acme' as CustomerKey,
  windowStartMs: Date.parse('2023-11-16T18:17:00Z') as InstantMs,
  dimensions: { region: 'eu', model: "it's" },
  partition: 3 as Partition,
  chunk: 2 ** 48 + 5,
  version: (2 ** 53 - 1) as Offset,
  events: 2,
  sum: 1_500_000_000n,
  min: null,
  max: -1n,
  latest: null,
  unique: ['a\tb', 'ü'],
}

const directory = mkdtempSync(join(tmpdir(), 'tollgate-native-'))
const { chdb } = createChdbConnection({ path: join(directory, 'engine') })
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** The rows as the engine reads them. */
async function readBack({ blocks }: NativeRows, columns = '*'): Promise<unknown[][]> {
  const file = join(directory, 'rows.native')
  writeFileSync(file, Buffer.concat(blocks))
  const settings = 'output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1'
  const sql = `SELECT ${columns} FROM file('${file}', Native) SETTINGS ${settings}`
  const text = (await chdb.queryAsync(sql, { format: 'JSONCompactEachRow' })).text()
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown[])
}

test('an event is what the engine reads', async () => {
  const rows = encodeEvents([event, { ...event, subject: 'user-1', attributes: '{"a":1}', index: 3 }])
  expect(rows.columns).toHaveLength(13)
  expect(await readBack(rows)).toEqual([
    ['default', 'acme', '2023-11-16 18:17:03.009', '2023-11-16 18:17:04.979', 'llm.request', 'sdk', 'e1', null, '{"n":1}', null, 3, '7', 2],
    ...[['default', 'acme', '2023-11-16 18:17:03.009', '2023-11-16 18:17:04.979', 'llm.request', 'sdk', 'e1']].map((same) => [
      ...same,
      ...['user-1', '{"n":1}', '{"a":1}', 3, '7', 3],
    ]),
  ])
})

test('a window is what the engine reads, its dimensions in ascending order', async () => {
  const latest = { value: -2_500_000_000n, occurredAtMs: -1 as InstantMs, offset: 6 as Offset, index: 1 }
  const rows = encodeWindows([window, { ...window, latest, min: 5n, max: null, dimensions: {}, unique: [] }])
  expect(rows.columns).toHaveLength(18)
  expect(Object.keys((await readBack(rows, 'dimensions'))[0]?.[0] ?? {})).toEqual(['model', 'region'])
  const key = ['default', 'tokens', '4', 'acme', '2023-11-16 18:17:00']
  const place = [3, String(2 ** 48 + 5), String(2 ** 53 - 1)]
  expect(await readBack(rows)).toEqual([
    [...key, { model: "it's", region: 'eu' }, '2', '1.5', null, '-0.000000001', null, null, '0', 0, ['a\tb', 'ü'], ...place],
    [...key, {}, '2', '1.5', '0.000000005', null, '-2.5', '1969-12-31 23:59:59.999', '6', 1, [], ...place],
  ])
})

test('any text comes back, short and long, ASCII and not, side by side', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.string({ unit: 'binary-ascii', maxLength: 300 }),
    fc.constantFrom(
      '',
      '\0',
      'é'.repeat(64),
      'x'.repeat(127),
      'x'.repeat(128),
      'x'.repeat(16_383),
      'x'.repeat(16_384),
      '\u{1f600}'.repeat(50),
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ id: text, data: text, source: text }), { minLength: 1, maxLength: 1_200 }), async (texts) => {
      const read = await readBack(encodeEvents(texts.map((each) => ({ ...event, ...each }))), 'id, data, source')
      expect(read).toEqual(texts.map(({ id, data, source }) => [id, data, source]))
    }),
    { numRuns: 30 },
  )
})

test('one of few values is kept apart from the others, however many there are', async () => {
  for (const different of [1, 256, 257, 65_536, 65_537]) {
    const rows = await readBack(
      encodeEvents(Array.from({ length: different + 3 }, (_, at) => ({ ...event, type: `t${at % different}` }))),
      'type',
    )
    expect(rows.every(([type], at) => type === `t${at % different}`)).toBe(true)
    expect(rows).toHaveLength(different + 3)
  }
})

test('every instant is kept to the millisecond, before 1970 too', async () => {
  const instants = fc.integer({ min: Date.UTC(1905, 0), max: Date.UTC(2099, 11) })
  await fc.assert(
    fc.asyncProperty(fc.array(instants, { minLength: 1 }), async (times) => {
      const read = await readBack(
        encodeEvents(times.map((ms) => ({ ...event, occurredAtMs: ms as InstantMs }))),
        'toUnixTimestamp64Milli(occurred_at)',
      )
      expect(read.map(([ms]) => Number(ms))).toEqual(times)
    }),
    { numRuns: 20 },
  )
})

test('every quantity is its exact decimal, next to what a float holds too', async () => {
  const quantity = fc.oneof(
    fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }),
    fc.bigInt({ min: -3n, max: 3n }).map((near) => 2n ** 53n + near),
    fc.bigInt({ min: -3n, max: 3n }).map((near) => -(2n ** 63n) + near),
    fc.bigInt({ min: -3n, max: 3n }).map((near) => 2n ** 64n + near),
    fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(quantity, { minLength: 1 }), async (sums) => {
      const read = await readBack(encodeWindows(sums.map((sum) => ({ ...window, sum, min: sum }))), 'value_sum, value_min')
      expect(read).toEqual(sums.map((sum) => [formatQuantity(sum), formatQuantity(sum)]))
    }),
    { numRuns: 30 },
  )
})

test('one row of texts', async () => {
  const rows = encodeTexts({ name: 'chunk_records', value: '1024' })
  expect(rows.columns).toEqual(['name', 'value'])
  expect(await readBack(rows)).toEqual([['chunk_records', '1024']])
})
