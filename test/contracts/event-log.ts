import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type EventLog, type LogHandler, type LogRecord, RECORD_BYTES_MAX } from '../../adapters/event-log/event-log.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'

export type EventLogPlace = {
  /** Opens the log of this place; the first time it is empty, later it holds the records appended before. */
  open(partitions: number): Promise<EventLog>
  /** Deletes the log. */
  remove(): Promise<void>
  /** The records set aside, read with the technology's own tools. */
  readSetAside(): Promise<readonly SetAsideRecord[]>
}

export type SetAsideRecord = {
  readonly partition: number
  readonly offset: number
  readonly reason: string
  readonly value: readonly number[]
}

const P0 = 0 as Partition
const P1 = 1 as Partition
const GROUP = 'contract'
const PARTITIONS = 4

const offset = (n: number) => n as Offset
const instant = (n: number) => n as InstantMs
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (record: LogRecord) => new TextDecoder().decode(record.value)

/** What every event log must do. `openPlace` makes a new, empty one. */
export function describeEventLog(name: string, openPlace: () => Promise<EventLogPlace>): void {
  describe(`event log: ${name}`, () => {
    let place: EventLogPlace
    let log: EventLog
    let isOpen = false

    const open = async () => {
      log = await place.open(PARTITIONS)
      isOpen = true
    }
    const close = async () => {
      if (isOpen) await log.stop()
      isOpen = false
    }
    beforeEach(async () => {
      place = await openPlace()
      await open()
    })
    afterEach(async () => {
      await close()
      await place.remove()
    })

    const appendTexts = (partition: Partition, texts: readonly string[]) =>
      Promise.all(texts.map((text, n) => log.append(partition, bytesOf(text), instant(1_700_000_000_000 + n))))
    const readTexts = async (partition: Partition, from: number, to: number) => {
      const texts: string[] = []
      for await (const records of log.read(partition, offset(from), offset(to))) {
        expect(records.length).toBeGreaterThan(0)
        for (const record of records) texts.push(`${record.offset}:${textOf(record)}`)
      }
      return texts
    }

    test('is empty at birth and has the partitions it was made with', async () => {
      expect(log.partitions).toBe(PARTITIONS)
      expect(await log.range(P0)).toEqual({ start: 0, next: 0 })
      expect(await readTexts(P0, 0, 100)).toEqual([])
      await log.ping()
    })

    test('an acknowledged append is read back with its time of receipt', async () => {
      const at = await log.append(P1, bytesOf('first'), instant(1_700_000_000_123))
      expect(at).toBe(0)
      const found: LogRecord[] = []
      for await (const records of log.read(P1, offset(0), offset(1))) found.push(...records)
      expect(found.map((record) => ({ ...record, value: textOf(record) }))).toEqual([
        { partition: 1, offset: 0, receivedAtMs: 1_700_000_000_123, value: 'first' },
      ])
      expect(await log.range(P0)).toEqual({ start: 0, next: 0 })
    })

    test('appends made at once keep their order in each partition, without gaps', async () => {
      const texts = Array.from({ length: 300 }, (_, n) => `r${n}`)
      const all = await Promise.all([0, 1, 2, 3].map((partition) => appendTexts(partition as Partition, texts)))
      for (const offsets of all) expect(offsets).toEqual(texts.map((_, n) => n))
      expect(await readTexts(P1, 0, 300)).toEqual(texts.map((text, n) => `${n}:${text}`))
      expect(await log.range(P1)).toEqual({ start: 0, next: 300 })
    })

    test('read is half-open and ends at what is durable', async () => {
      await appendTexts(P0, ['a', 'b', 'c', 'd'])
      expect(await readTexts(P0, 1, 3)).toEqual(['1:b', '2:c'])
      expect(await readTexts(P0, 3, 99)).toEqual(['3:d'])
      expect(await readTexts(P0, 2, 2)).toEqual([])
    })

    test('takes a record of the largest size, and comes back with each of its bytes', async () => {
      const value = new Uint8Array(RECORD_BYTES_MAX - 1024).map((_, n) => (n * 31) % 251)
      await log.append(P0, value, instant(1))
      for await (const [record] of log.read(P0, offset(0), offset(1))) expect(Buffer.compare(record?.value ?? bytesOf(''), value)).toBe(0)
    })

    test('after a restart the records are there and offsets go on', async () => {
      await appendTexts(P0, ['a', 'b'])
      await appendTexts(P1, ['z'])
      await close()
      await open()
      expect(await log.range(P0)).toEqual({ start: 0, next: 2 })
      expect(await log.append(P0, bytesOf('c'), instant(3))).toBe(2)
      expect(await readTexts(P0, 0, 9)).toEqual(['0:a', '1:b', '2:c'])
      expect(await readTexts(P1, 0, 9)).toEqual(['0:z'])
    })

    test('refuses to open with another number of partitions', async () => {
      await appendTexts(P0, ['a'])
      await close()
      await expect(place.open(PARTITIONS * 2)).rejects.toMatchObject({
        name: 'Fault',
        code: 'log_partitions_differ',
        message: expect.stringMatching(new RegExp(`${PARTITIONS}.*${PARTITIONS * 2}`)),
      })
    })

    test('after stop an append is a fault, not lost in silence', async () => {
      await close()
      await expect(log.append(P0, bytesOf('late'), instant(1))).rejects.toMatchObject({ name: 'Fault', code: 'log_unavailable' })
    })

    test('trim never drops a record at or after beforeOffset, nor one received later', async () => {
      await Promise.all([10, 20, 30, 40].map((receivedAtMs, n) => log.append(P0, bytesOf(`r${n}`), instant(receivedAtMs))))
      await log.trim(P0, { beforeOffset: offset(2), receivedBeforeMs: instant(1000) })
      expect(await readTexts(P0, 2, 9)).toEqual(['2:r2', '3:r3'])
      await log.trim(P0, { beforeOffset: offset(4), receivedBeforeMs: instant(40) })
      expect(await readTexts(P0, 3, 9)).toEqual(['3:r3'])
      expect((await log.range(P0)).next).toBe(4)
    })

    test('what is set aside is there with reason and place once that resolves, and may be set aside again', async () => {
      const [undecodable, other] = [new Uint8Array([0, 255, 1, 10, 13]), new Uint8Array()]
      const place1 = { partition: P1, offset: await log.append(P1, undecodable, instant(1)) }
      await log.setAside({ ...place1, receivedAtMs: instant(1), value: undecodable }, 'it is no batch: ünknown')
      await log.setAside({ partition: P0, offset: offset(7), receivedAtMs: instant(2), value: other }, 'it is empty')
      await log.setAside({ ...place1, receivedAtMs: instant(1), value: undecodable }, 'it is no batch: ünknown')
      await close()
      const found = new Map((await place.readSetAside()).map((record) => [`${record.partition}/${record.offset}`, record]))
      expect([...found.values()].toSorted((a, b) => a.partition - b.partition)).toEqual([
        { partition: 0, offset: 7, reason: 'it is empty', value: [] },
        { partition: 1, offset: 0, reason: 'it is no batch: ünknown', value: [...undecodable] },
      ])
    })

    describe('a subscription', () => {
      test('gets all from its position on, in order, what is appended later too', async () => {
        await appendTexts(P0, ['a', 'b', 'c'])
        const consumer = createRecorder({ [P0]: 1 })
        const subscription = await log.subscribe(GROUP, consumer.handler)
        await vi.waitFor(() => expect(consumer.seen(P0)).toEqual(['1:b', '2:c']), WAIT)
        await appendTexts(P0, ['d'])
        await appendTexts(P1, ['z'])
        await vi.waitFor(() => expect([consumer.seen(P0), consumer.seen(P1)]).toEqual([['1:b', '2:c', '3:d'], ['0:z']]), WAIT)
        await subscription.stop()
      })

      test('calls for one partition come one at a time: assigned, records, revoked', async () => {
        const consumer = createRecorder({}, { isSlow: true })
        const subscription = await log.subscribe(GROUP, consumer.handler)
        for (let round = 0; round < 10; round++) await appendTexts(P0, [`${round}-a`, `${round}-b`])
        await vi.waitFor(() => expect(consumer.seen(P0)).toHaveLength(20), WAIT)
        await subscription.stop()
        expect(consumer.mostAtOnce(P0)).toBe(1)
        const calls = consumer.calls(P0)
        expect([calls[0], calls.at(-1)]).toEqual(['assigned', 'revoked'])
        expect(new Set(calls.slice(1, -1))).toEqual(new Set(['records']))
      })

      test('a handler that fails gets the same again until it succeeds; others go on meanwhile', async () => {
        const consumer = createRecorder({}, { failures: { [P0]: 2 } })
        const subscription = await log.subscribe(GROUP, consumer.handler)
        await appendTexts(P0, ['a', 'b'])
        await appendTexts(P1, ['z'])
        await vi.waitFor(() => expect([consumer.seen(P0), consumer.seen(P1)]).toEqual([['0:a', '1:b'], ['0:z']]), WAIT)
        expect(consumer.failed(P0)).toBe(2)
        await subscription.stop()
      })

      test('stop waits for the call under way, and another one goes on where it ended', async () => {
        const gate = Promise.withResolvers<void>()
        const consumer = createRecorder({}, { gate: gate.promise })
        const subscription = await log.subscribe(GROUP, consumer.handler)
        await appendTexts(P0, ['a'])
        await vi.waitFor(() => expect(consumer.calls(P0)).toContain('records'), WAIT)
        let isStopped = false
        const stopped = subscription.stop().then(() => {
          isStopped = true
        })
        await appendTexts(P0, ['b'])
        expect(isStopped).toBe(false)
        gate.resolve()
        await stopped
        const next = createRecorder({ [P0]: consumer.seen(P0).length })
        const again = await log.subscribe(GROUP, next.handler)
        await vi.waitFor(() => expect([...consumer.seen(P0), ...next.seen(P0)]).toEqual(['0:a', '1:b']), WAIT)
        await again.stop()
      })

      test('resumes over a restart from what assigned answers', async () => {
        await appendTexts(P0, ['a', 'b'])
        await close()
        await open()
        await appendTexts(P0, ['c'])
        const consumer = createRecorder({ [P0]: 1 })
        const subscription = await log.subscribe(GROUP, consumer.handler)
        await vi.waitFor(() => expect(consumer.seen(P0)).toEqual(['1:b', '2:c']), WAIT)
        await subscription.stop()
      })
    })
  })
}

const WAIT = { timeout: 30_000, interval: 5 }

/** A handler that records its calls. */
function createRecorder(
  positions: Readonly<Record<number, number>>,
  behaviour: { readonly isSlow?: boolean; readonly gate?: Promise<void>; readonly failures?: Readonly<Record<number, number>> } = {},
) {
  const calls = new Map<Partition, string[]>()
  const seen = new Map<Partition, string[]>()
  const failed = new Map<Partition, number>()
  const running = new Map<Partition, number>()
  const mostAtOnce = new Map<Partition, number>()

  async function during<Value>(partition: Partition, call: string, action: () => Promise<Value>): Promise<Value> {
    calls.set(partition, [...(calls.get(partition) ?? []), call])
    const now = (running.get(partition) ?? 0) + 1
    running.set(partition, now)
    mostAtOnce.set(partition, Math.max(now, mostAtOnce.get(partition) ?? 0))
    try {
      if (behaviour.isSlow) await new Promise(setImmediate)
      return await action()
    } finally {
      running.set(partition, now - 1)
    }
  }

  const handler: LogHandler = {
    assigned: (partition) => during(partition, 'assigned', async () => offset(positions[partition] ?? 0)),
    revoked: (partition) => during(partition, 'revoked', async () => undefined),
    records: (partition, records) =>
      during(partition, 'records', async () => {
        await behaviour.gate
        const failures = failed.get(partition) ?? 0
        if (failures < (behaviour.failures?.[partition] ?? 0)) {
          failed.set(partition, failures + 1)
          throw new Error('handler fails on purpose')
        }
        seen.set(partition, [...(seen.get(partition) ?? []), ...records.map((record) => `${record.offset}:${textOf(record)}`)])
      }),
  }
  return {
    handler,
    calls: (partition: Partition) => calls.get(partition) ?? [],
    seen: (partition: Partition) => seen.get(partition) ?? [],
    failed: (partition: Partition) => failed.get(partition) ?? 0,
    mostAtOnce: (partition: Partition) => mostAtOnce.get(partition) ?? 0,
  }
}
