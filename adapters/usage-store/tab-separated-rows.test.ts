import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, InstantMs, MeterKey, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { EVENT_COLUMNS, encodeEvents, encodeWindows, WINDOW_COLUMNS } from './tab-separated-rows.ts'
import type { StoredEvent, WindowRow } from './usage-store.ts'

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
  chunk: 5,
  version: 7 as Offset,
  events: 2,
  sum: 1_500_000_000n,
  min: null,
  max: -1n,
  latest: null,
  unique: ['a\tb', 'c'],
}

const fieldsOf = (rows: Buffer) =>
  rows
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'))

test('an event is one line with a field per column', () => {
  const [fields] = fieldsOf(encodeEvents([event]))
  expect(fields).toHaveLength(EVENT_COLUMNS.length)
  expect(fields).toEqual([
    ...['default', 'acme', '1700158623.009', '1700158624.979', 'llm.request', 'sdk', 'e1'],
    ...['\\N', '{"n":1}', '\\N', '3', '7', '2'],
  ])
})

test('a window is one line with a field per column, its dimensions in ascending order', () => {
  const [fields] = fieldsOf(encodeWindows([window]))
  expect(fields).toHaveLength(WINDOW_COLUMNS.length)
  expect(fields).toEqual([
    ...['default', 'tokens', '4', 'acme', '1700158620', "{'model':'it\\'s','region':'eu'}", '2'],
    ...['1.5', '\\N', '-0.000000001', '\\N', '\\N', '0', '0', "['a\\tb','c']", '3', '5', '7'],
  ])
})

test('times far apart and before 1970 keep their own text', () => {
  const texts = {
    '1969-12-31T23:59:59.999Z': '1969-12-31 23:59:59.999',
    '1970-01-01T00:00:00.000Z': '1970-01-01 00:00:00.000',
    '2001-09-09T01:46:39.999Z': '2001-09-09 01:46:39.999',
    '2001-09-09T01:46:40.000Z': '1000000000.000',
    '2099-01-01T00:00:00.050Z': '4070908800.050',
    '1969-12-31T23:59:59.001Z': '1969-12-31 23:59:59.001',
    // 1024 s apart: the slot of one is the slot of the other.
    '2023-11-14T22:13:20.000Z': '1700000000.000',
    '2023-11-14T22:30:24.000Z': '1700001024.000',
    '2023-11-14T22:13:20.001Z': '1700000000.001',
  }
  const rows = fieldsOf(encodeEvents(Object.keys(texts).map((time) => ({ ...event, occurredAtMs: Date.parse(time) as InstantMs }))))
  expect(rows.map((fields) => fields[2])).toEqual(Object.values(texts))
})

test('every quantity is written as its exact decimal, next to whole units too', () => {
  const nearWhole = fc.tuple(fc.bigInt({ min: -(10n ** 8n), max: 10n ** 8n }), fc.bigInt({ min: -2n, max: 2n }))
  const quantity = fc.oneof(
    nearWhole.map(([units, nano]) => units * 1_000_000_000n + nano),
    fc.bigInt({ min: -(10n ** 37n), max: 10n ** 37n }),
  )
  fc.assert(
    fc.property(quantity, (sum) => {
      expect(fieldsOf(encodeWindows([{ ...window, sum }]))[0]?.[7]).toBe(formatQuantity(sum))
    }),
  )
})

test('many rows come out in order, whatever the slices', () => {
  const rows = fieldsOf(encodeEvents(Array.from({ length: 2000 }, (_, index) => ({ ...event, index }))))
  expect(rows.map((fields) => Number(fields[12]))).toEqual(Array.from({ length: 2000 }, (_, index) => index))
})
