import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { open as openLmdb } from 'lmdb'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLmdbEventLog, type LmdbEventLogOptions } from '../../adapters/event-log/lmdb/lmdb-event-log.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { reportEmbedded } from '../support/implementations.ts'
import { describeEventLog, type SetAsideRecord } from './event-log.ts'

const silent = pino({ level: 'silent' })
const newDirectory = () => mkdtemp(join(tmpdir(), 'tollgate-event-log-'))
const openLog = (path: string, more: Partial<LmdbEventLogOptions> = {}) =>
  createLmdbEventLog({ clock: systemClock, path, partitions: 2, log: silent, registry: new Registry(), ...more })

const placeWith = (options: Partial<LmdbEventLogOptions>) => async () => {
  const path = await newDirectory()
  return {
    open: (partitions: number) => openLog(path, { partitions, ...options }),
    remove: () => rm(path, { recursive: true, force: true }),
    readSetAside: () => readRecordFiles(join(path, 'undecodable')),
  }
}

describeEventLog('lmdb', placeWith({}))
describeEventLog('lmdb, all read from the file', placeWith({ tailBytesMax: 0 }))

async function readRecordFiles(directory: string): Promise<readonly SetAsideRecord[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.avro')).map((name) => name.slice(0, -'.avro'.length))
  return await Promise.all(
    names.map(async (name) => {
      const [partition = '', offset = ''] = name.split('-')
      const [, reason = ''] = (await readFile(join(directory, `${name}.txt`), 'utf8')).split('\n')
      const value = [...(await readFile(join(directory, `${name}.avro`)))]
      return { partition: Number(partition), offset: Number(offset), reason, value }
    }),
  )
}

reportEmbedded('lmdb')

describe('the log on lmdb', () => {
  const P0 = 0 as Partition
  const text = (value: string) => new TextEncoder().encode(value)
  const at = (ms: number) => ms as InstantMs
  let path: string
  let child: ChildProcess | undefined
  beforeEach(async () => {
    path = await newDirectory()
  })
  afterEach(async () => {
    child?.kill('SIGKILL')
    await rm(path, { recursive: true, force: true })
  })

  test('every append acknowledged before kill -9 is there afterwards, each once and in order', async () => {
    child = spawn(process.execPath, [new URL('./append-for-ever.ts', import.meta.url).pathname, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = new Promise((resolve) => child?.once('exit', resolve))
    const acknowledged: { offset: number; value: string }[] = []
    if (child.stdout === null) throw new Error('child has no output')
    for await (const line of createInterface({ input: child.stdout })) {
      // The last line may be cut off: whole ones end with a full stop.
      const parts = /^(\d+) (\S+)\.$/.exec(line)
      if (parts) acknowledged.push({ offset: Number(parts[1]), value: parts[2] ?? '' })
      if (acknowledged.length === 2000) child.kill('SIGKILL')
    }
    await exited
    expect(acknowledged.length).toBeGreaterThanOrEqual(2000)

    const log = await openLog(path)
    const found = new Map<number, string>()
    for await (const records of log.read(P0, 0 as Offset, Number.MAX_SAFE_INTEGER as Offset)) {
      for (const record of records) found.set(record.offset, new TextDecoder().decode(record.value))
    }
    for (const { offset, value } of acknowledged) expect(found.get(offset)).toBe(value)
    expect([...found.keys()]).toEqual(Array.from({ length: found.size }, (_, n) => n))
    expect(await log.append(P0, text('after'), at(1))).toBe(found.size)
    await log.stop()
  })

  test('a subscription gets each record once and in order, from memory as far as that holds them, from the file else', async () => {
    const log = await openLog(path, { tailBytesMax: 40, readRecordsMax: 3 })
    const seen: string[] = []
    const gate = Promise.withResolvers<void>()
    let calls = 0
    const subscription = await log.subscribe('tail', {
      assigned: async () => 0 as Offset,
      revoked: async () => undefined,
      async records(_partition, records) {
        calls++
        await gate.promise
        // The same records again, although some of them were in memory.
        if (calls === 2) throw new Error('failed once')
        seen.push(...records.map(({ value }) => new TextDecoder().decode(value)))
      },
    })
    const wanted = Array.from({ length: 60 }, (_, n) => `record-${n}`)
    for (const value of wanted.slice(0, 30)) await log.append(P0, text(value), at(1))
    gate.resolve()
    for (const value of wanted.slice(30)) await log.append(P0, text(value), at(1))
    await vi.waitFor(() => expect(seen).toHaveLength(60), 10_000)
    expect(seen).toEqual(wanted)
    await subscription.stop()
    await log.stop()
  })

  test('trims what is both below the offset and old, and goes on counting after a restart', async () => {
    const log = await openLog(path)
    await Promise.all(Array.from({ length: 200 }, (_, n) => log.append(P0, text(`r${n}`), at(n))))
    await log.trim(P0, { beforeOffset: 150 as Offset, receivedBeforeMs: at(120) })
    expect(await log.range(P0)).toEqual({ start: 120, next: 200 })
    await log.trim(P0, { beforeOffset: 150 as Offset, receivedBeforeMs: at(1_000_000) })
    expect(await log.range(P0)).toEqual({ start: 150, next: 200 })
    await log.trim(P0, { beforeOffset: 200 as Offset, receivedBeforeMs: at(1_000_000) })
    const first = await log
      .read(P0, 0 as Offset, 200 as Offset)
      [Symbol.asyncIterator]()
      .next()
    expect(first.value?.[0]?.offset).toBe(199)
    await log.stop()
    const again = await openLog(path)
    expect(await again.range(P0)).toEqual({ start: 199, next: 200 })
    await again.stop()
  })

  test('refuses more than the bounded bytes of unacknowledged appends, and takes them again later', async () => {
    const log = await openLog(path, { unacknowledgedBytesMax: 2500 })
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => log.append(P0, new Uint8Array(1000), at(1))))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(outcomes[2]).toMatchObject({ reason: { code: 'log_overloaded', canRetry: true } })
    expect(await log.append(P0, new Uint8Array(2500), at(2))).toBe(2)
    await log.stop()
  })

  test('is a fault when full, well again after trimming, and leaves no gap', async () => {
    const log = await openLog(path, { storedBytesMax: 2_000_000 })
    let appended = 0
    const fill = async () => {
      for (;;) {
        await log.append(P0, new Uint8Array(100_000), at(appended))
        appended++
      }
    }
    await expect(fill()).rejects.toMatchObject({ name: 'Fault', code: 'log_full', canRetry: true })
    expect(appended).toBeGreaterThan(10)
    await expect(log.ping()).rejects.toMatchObject({ code: 'log_full' })
    await log.trim(P0, { beforeOffset: 10 as Offset, receivedBeforeMs: at(1000) })
    expect(await log.append(P0, new Uint8Array(100_000), at(2000))).toBe(appended)
    await log.ping()
    await log.stop()
  })

  test('a second opening of the directory takes over: the first can append no more', async () => {
    const first = await openLog(path)
    await first.append(P0, text('a'), at(1))
    const second = await openLog(path)
    await expect(first.append(P0, text('b'), at(2))).rejects.toMatchObject({
      code: 'log_unavailable',
      message: expect.stringContaining('another process'),
    })
    expect(await second.append(P0, text('c'), at(3))).toBe(1)
    await first.stop()
    await second.stop()
  })

  test('a flipped bit is a fault, never a wrong record', async () => {
    const log = await openLog(path)
    await log.append(P0, text('twelve tokens'), at(1))
    await log.stop()
    const root = openLmdb<Buffer, Buffer>({ path, noSubdir: false, encoding: 'binary', keyEncoding: 'binary' })
    const records = root.openDB<Buffer, Buffer>({ name: 'records', encoding: 'binary', keyEncoding: 'binary' })
    for (const { key, value } of records.getRange({})) {
      value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
      await records.put(key, value)
    }
    await root.close()
    const again = await openLog(path)
    await expect(
      again
        .read(P0, 0 as Offset, 1 as Offset)
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toMatchObject({ code: 'log_corrupt' })
    await again.stop()
  })

  test('views that are ahead of the log stop it, loudly', async () => {
    const log = await openLog(path)
    await log.append(P0, text('a'), at(1))
    const records = vi.fn(async () => undefined)
    const subscription = await log.subscribe('test', { assigned: async () => 5 as Offset, revoked: async () => undefined, records })
    await vi.waitFor(() => expect(log.ping()).rejects.toMatchObject({ code: 'log_corrupt', message: expect.stringContaining('offset 1') }))
    await subscription.stop()
    expect(records).not.toHaveBeenCalled()
    await log.stop()
  })
})
