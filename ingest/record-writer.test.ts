import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import { createLmdbEventLog } from '../adapters/event-log/lmdb/lmdb-event-log.ts'
import type { CustomerKey, InstantMs, Offset, Partition, TenantKey } from '../domain/identity.ts'
import { customerHash } from '../domain/metering/partitioning.ts'
import type { UsageEvent } from '../domain/metering/usage-event.ts'
import { RECORD_EVENTS_MAX } from '../domain/metering/usage-event.ts'
import { systemClock } from '../runtime/process/system-clock.ts'
import { decodeUsageEventBatch } from '../schemas/avro/usage-event-batch.ts'
import { createRecordWriter, type IndexedEvent } from './record-writer.ts'

const TENANT = 'default' as TenantKey
const clock = { ...systemClock, now: () => 1_782_000_000_000 as InstantMs }
const indexed = (id: string, more: Partial<UsageEvent> = {}): IndexedEvent => ({
  index: Number(id.replace(/\D/g, '')),
  event: {
    id,
    source: 's',
    type: 't',
    customer: 'acme' as CustomerKey,
    subject: null,
    occurredAtMs: clock.now(),
    data: '{}',
    attributes: null,
    ...more,
  },
  customerHash: customerHash(TENANT, more.customer ?? ('acme' as CustomerKey)),
})

describe('record writer', () => {
  let path: string
  let eventLog: EventLog
  const open = async (storedBytesMax = 1e9) => {
    eventLog = await createLmdbEventLog({
      clock: systemClock,
      path,
      partitions: 4,
      log: pino({ level: 'silent' }),
      registry: new Registry(),
      storedBytesMax,
    })
    return createRecordWriter({ eventLog, clock, registry: new Registry() })
  }
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'tollgate-record-writer-'))
  })
  afterEach(async () => {
    await eventLog.stop()
    await rm(path, { recursive: true, force: true })
  })

  async function records() {
    const found: { tenant: string; ids: string[]; bytes: number }[] = []
    for (let partition = 0; partition < eventLog.partitions; partition++) {
      for await (const list of eventLog.read(partition as Partition, 0 as Offset, 1e9 as Offset)) {
        for (const { value } of list) {
          const { tenant, events } = decodeUsageEventBatch(value)
          found.push({ tenant, ids: events.map(({ id }) => id), bytes: value.length })
        }
      }
    }
    return found
  }

  test('writes of one turn share a record; those that arrive while it is appended share the next', async () => {
    const writer = await open()
    const first = Promise.all([writer.write(TENANT, [indexed('e1')]), writer.write(TENANT, [indexed('e2')])])
    await new Promise(setImmediate)
    const second = Promise.all([writer.write(TENANT, [indexed('e3')]), writer.write(TENANT, [indexed('e4')])])
    expect(await first).toEqual([[], []])
    expect(await second).toEqual([[], []])
    expect((await records()).map(({ ids }) => ids)).toEqual([
      ['e1', 'e2'],
      ['e3', 'e4'],
    ])
  })

  test('tenants never share a record', async () => {
    const writer = await open()
    await Promise.all([writer.write(TENANT, [indexed('e1')]), writer.write('other' as TenantKey, [indexed('e2')])])
    expect((await records()).map(({ tenant, ids }) => `${tenant} ${ids}`).sort()).toEqual(['default e1', 'other e2'])
  })

  test('a record has a bounded number of events and bytes, and order is kept over them', async () => {
    const writer = await open()
    const many = Array.from({ length: RECORD_EVENTS_MAX + 5 }, (_, n) => indexed(`e${n}`))
    const large = Array.from({ length: 40 }, (_, n) => indexed(`large${n}`, { data: JSON.stringify({ text: 'é'.repeat(32_000) }) }))
    await Promise.all([writer.write(TENANT, many), writer.write(TENANT, large)])
    const found = await records()
    expect(found.flatMap(({ ids }) => ids)).toEqual([...many, ...large].map(({ event }) => event.id))
    for (const { ids, bytes } of found) {
      expect(ids.length).toBeLessThanOrEqual(RECORD_EVENTS_MAX)
      expect(bytes).toBeLessThan(1_000_000)
    }
  })

  test('tells each write which of its events were not kept', async () => {
    const writer = await open(300_000)
    const big = { data: JSON.stringify({ text: 'x'.repeat(60_000) }) }
    const failures = await writer.write(TENANT, [...Array.from({ length: 30 }, (_, n) => indexed(`e${n}`, big))])
    const lost = failures.flatMap(({ events }) => events.map(({ index }) => index))
    const kept = (await records()).flatMap(({ ids }) => ids)
    expect(lost.length).toBeGreaterThan(0)
    expect(failures[0]?.fault).toMatchObject({ code: 'log_full' })
    expect([...kept, ...lost.map((n) => `e${n}`)].sort()).toEqual(Array.from({ length: 30 }, (_, n) => `e${n}`).sort())
  })

  test('drain waits for what was written and not yet begun', async () => {
    const writer = await open()
    const written = writer.write(TENANT, [indexed('e1')])
    await writer.drain()
    expect((await records()).length).toBe(1)
    await written
  })
})
