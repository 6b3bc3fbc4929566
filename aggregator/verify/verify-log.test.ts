import { describe, expect, test } from 'vitest'
import type { EventKey, EventPosition, StoredEvent } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { eventPrint } from '../../domain/metering/event-hash.ts'
import type { UsageEvent, UsageEventBatch } from '../../domain/metering/usage-event.ts'
import { USAGE_REPORT_TYPE } from '../../domain/metering/usage-report.ts'
import type { Difference } from './difference.ts'
import { checkLog, type WrongEvent } from './verify-log.ts'

const partition = 0 as Partition
const tenant = 'default' as TenantKey

function logged(id: string, more: Partial<UsageEvent> = {}): UsageEvent {
  return {
    ...{ id, source: 'default', type: 'call', customer: 'acme' as CustomerKey, subject: null, attributes: null },
    ...{ occurredAtMs: 1_000 as InstantMs, data: '{"n":1}', ...more },
  }
}

function stored(offset: number, index: number, event: UsageEvent): StoredEvent {
  return { ...event, tenant, partition, offset: offset as Offset, index, receivedAtMs: (offset * 1_000) as InstantMs }
}

type Log = { readonly start?: number; readonly records: readonly (readonly UsageEvent[] | 'broken')[] }

async function check({ start = 0, records }: Log, events: readonly StoredEvent[]) {
  const differences: Difference[] = []
  const missing: StoredEvent[] = []
  const wrong: WrongEvent[] = []
  const batches = new Map(records.map((batch, at) => [start + at, batch]))
  const totals = await checkLog({
    eventLog: {
      range: async () => ({ start: start as Offset, next: (start + records.length) as Offset }),
      async *read(_, from, to) {
        for (let offset = from as number; offset < to; offset++)
          yield [{ partition, offset: offset as Offset, receivedAtMs: (offset * 1_000) as InstantMs, value: Uint8Array.of(offset) }]
      },
    },
    usageStore: {
      findEvents: async (keys) => lowest(keys, events),
      async *scanEventPrints({ fromOffset, toOffset }) {
        const within = events.filter(({ offset }) => offset >= fromOffset && offset < toOffset)
        yield Float64Array.from(within.flatMap((event) => [event.offset, event.index, eventPrint(tenant, event, event.receivedAtMs)]))
      },
      async *scanEvents({ offsets }) {
        const places = new Map(events.map((event) => [`${event.offset} ${event.index}`, event]))
        yield [...places.values()].filter(({ offset }) => offsets?.includes(offset))
      },
    },
    decode(value): UsageEventBatch {
      const batch = batches.get(value[0] ?? -1)
      if (batch === undefined || batch === 'broken') throw new Error('no usage events')
      return { tenant, events: batch }
    },
    partition,
    toOffset: (start + records.length) as Offset,
    onDifference: (difference) => void differences.push(difference),
    onMissing: async (events) => void missing.push(...events),
    onWrong: async (some) => void wrong.push(...some),
  })
  return { totals, differences, missing, wrong }
}

function lowest(keys: readonly EventKey[], events: readonly StoredEvent[]) {
  const found = new Map<EventKey, EventPosition & { receivedAtMs: InstantMs }>()
  for (const key of keys) {
    const event = events.find(({ id, customer, source }) => id === key.id && customer === key.customer && source === key.source)
    if (event !== undefined) found.set(key, event)
  }
  return found
}

describe('events beside the log', () => {
  test('events that stand where the log has them, and repeats that stand nowhere, are no difference', async () => {
    const log = { records: [[logged('a'), logged('b')], [logged('a')], [logged('c'), logged('b'), logged('d')]] }
    const events = [stored(0, 0, logged('a')), stored(0, 1, logged('b')), stored(2, 0, logged('c')), stored(2, 2, logged('d'))]
    expect(await check(log, events)).toMatchObject({ differences: [], totals: { records: 3, events: 6, repeats: 2 } })
  })

  test('an event that is missing is named once, and its repeat is none', async () => {
    const log = { records: [[logged('a'), logged('b')], [logged('b')], [logged('c')]] }
    const { differences, missing, totals } = await check(log, [stored(0, 0, logged('a')), stored(2, 0, logged('c'))])
    expect(differences).toMatchObject([{ view: 'events', found: 'nothing', where: expect.stringContaining('offset 0, index 1, event b') }])
    expect(missing).toEqual([stored(0, 1, logged('b'))])
    expect(totals.repeats).toBe(1)
  })

  test.each([
    { name: 'last events missing', events: [stored(0, 0, logged('a'))], differences: 2 },
    { name: 'all missing', events: [], differences: 3 },
    { name: 'one that the log lacks, behind the last of its record', events: [stored(0, 5, logged('z'))], differences: 4 },
  ])('$name: $differences differences', async ({ events, differences }) => {
    const log = { records: [[logged('a')], [logged('b')], [logged('c')]] }
    expect((await check(log, events)).differences).toHaveLength(differences)
  })

  test.each([
    { data: '{"n":2}' },
    { type: 'other' },
    { subject: 's' },
    { occurredAtMs: 2_000 as InstantMs },
    { id: 'other' },
    { attributes: '{}' },
  ] as Partial<UsageEvent>[])('an event stored with %o is a difference', async (more) => {
    const { differences, wrong } = await check({ records: [[logged('a')]] }, [stored(0, 0, logged('a', more))])
    expect(differences).toHaveLength(1)
    expect(wrong).toEqual([{ stored: stored(0, 0, logged('a', more)), logged: stored(0, 0, logged('a')) }])
  })

  test.each([
    { name: 'right, then wrong', data: ['{"n":1}', '{"n":2}'] },
    { name: 'wrong, then right', data: ['{"n":2}', '{"n":1}'] },
    { name: 'wrong twice', data: ['{"n":2}', '{"n":3}'] },
  ])('two rows that differ at one place are a difference: $name', async ({ data }) => {
    const log = { records: [[logged('a'), logged('b')]] }
    const rows = data.map((each) => stored(0, 0, logged('a', { data: each })))
    const { differences, wrong } = await check(log, [...rows, stored(0, 1, logged('b'))])
    expect(differences).toMatchObject([{ view: 'events', expected: 'one row', found: 'rows that differ at one place' }])
    expect(wrong).toMatchObject([{ logged: stored(0, 0, logged('a')) }])
  })

  test('a row written again is none', async () => {
    const log = { records: [[logged('a'), logged('b')]] }
    const rows = [stored(0, 0, logged('a')), stored(0, 0, logged('a')), stored(0, 1, logged('b'))]
    expect((await check(log, rows)).differences).toEqual([])
  })

  test('a report that sets usage has what it adds beside what was sent', async () => {
    const sent = logged('a', { type: USAGE_REPORT_TYPE, data: '{"meter":"m","set":"5"}' })
    const kept = { ...sent, data: '{"meter":"m","set":"5","delta":"2"}' }
    const changed = { ...sent, data: '{"meter":"m","set":"6","delta":"2"}' }
    expect((await check({ records: [[sent]] }, [stored(0, 0, kept)])).differences).toEqual([])
    expect((await check({ records: [[sent]] }, [stored(0, 0, changed)])).differences).toHaveLength(1)
  })

  test('a record that cannot be decoded is named, and the next ones are compared', async () => {
    const { differences } = await check({ records: ['broken', [logged('a')]] }, [stored(1, 0, logged('a'))])
    expect(differences).toMatchObject([{ view: 'event_log', where: 'partition 0, offset 0', found: 'no usage events' }])
  })

  test('what the log has let go of is not compared', async () => {
    const { differences, totals } = await check({ start: 7, records: [[logged('b')]] }, [
      stored(3, 0, logged('a')),
      stored(7, 0, logged('b')),
    ])
    expect([differences, totals.fromOffset]).toEqual([[], 7])
  })
})
