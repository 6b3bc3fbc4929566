import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { EventLog, LogHandler } from '../../adapters/event-log/event-log.ts'
import { createKafkaEventLog, type KafkaEventLogOptions } from '../../adapters/event-log/kafka/kafka-event-log.ts'
import { DEV_SASL } from '../../deploy/dev/kafka.ts'
import { startDevServers } from '../../deploy/dev/servers.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { readDeadLetters } from '../support/kafka-records.ts'
import { devServerForTest } from '../support/servers/dev-servers.ts'
import { describeEventLog } from './event-log.ts'

const kafka = await devServerForTest('kafka')
afterAll(() => kafka.discard())

const PARTITIONS = 4
const RETENTION_MS = 200 * 365 * 86_400_000
const log = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })
const newTopic = () => `events-${randomBytes(6).toString('hex')}`
const openLog = (topic: string, more: Partial<KafkaEventLogOptions> = {}) =>
  createKafkaEventLog({
    clock: systemClock,
    brokers: kafka.server?.url.split(',') ?? [],
    topic,
    partitions: PARTITIONS,
    replication: 1,
    clientId: 'contract-test',
    // The tests' times of receipt are long ago, and a broker drops expired records half a minute after its start.
    retentionMs: RETENTION_MS,
    log,
    registry: new Registry(),
    ...more,
  })

if (kafka.server === null) {
  test.skip(`event log: kafka was not run: ${kafka.missing}`, () => undefined)
} else {
  describeEventLog(`kafka (${kafka.server.version})`, async () => {
    const topic = newTopic()
    return {
      open: (partitions) => openLog(topic, { partitions }),
      remove: async () => undefined,
      readSetAside: () => readDeadLetters(kafka.server?.url ?? '', `${topic}-dead-letters`),
    }
  })

  describe('the log on kafka', () => {
    test('while consumers come and go every record is handled once, and no partition by two at a time', async () => {
      const topic = newTopic()
      const writer = await openLog(topic)
      const views = createViews()
      const consumers: { readonly log: EventLog; stop(): Promise<void> }[] = []
      const join = async (name: string) => {
        const consumer = await openLog(topic)
        const subscription = await consumer.subscribe('views', views.handlerOf(name))
        consumers.push({ log: consumer, stop: () => subscription.stop().then(() => consumer.stop()) })
      }
      const leave = () => consumers.shift()?.stop()
      const writing = appendUntilStopped(writer)
      await join('a')
      await vi.waitFor(() => expect(views.owners()).toEqual(['a', 'a', 'a', 'a']), WAIT)
      await join('b')
      await vi.waitFor(() => expect(views.owners().toSorted()).toEqual(['a', 'a', 'b', 'b']), WAIT)
      await join('c')
      await vi.waitFor(() => expect(new Set(views.owners())).toEqual(new Set(['a', 'b', 'c'])), WAIT)
      await leave()
      await vi.waitFor(() => expect(views.owners().toSorted()).toEqual(['b', 'b', 'c', 'c']), WAIT)
      await Promise.all([join('d'), leave()])
      await vi.waitFor(() => expect(views.owners().toSorted()).toEqual(['c', 'c', 'd', 'd']), WAIT)
      const acknowledged = await writing.stop()
      await vi.waitFor(() => expect(views.values().length).toBe(acknowledged.length), WAIT)
      expect(views.values().toSorted()).toEqual(acknowledged.toSorted())
      expect(views.violations).toEqual([])
      await leave()
      await leave()
      await writer.stop()
    })

    test('a consumer that is slow on one partition keeps its place in the group, and its other partitions go on', async () => {
      const topic = newTopic()
      const consumer = await openLog(topic, { sessionMs: 6_000 })
      const gate = Promise.withResolvers<void>()
      const handled: number[] = []
      const assignments: number[] = []
      const subscription = await consumer.subscribe('views', {
        assigned: async (partition) => {
          assignments.push(partition)
          return 0 as Offset
        },
        revoked: async () => undefined,
        records: async (partition) => {
          if (partition === 0) await gate.promise
          handled.push(partition)
        },
      })
      await consumer.append(0 as Partition, bytesOf('stuck'), NOW)
      const until = performance.now() + 8_000
      // Longer than the session of a consumer that sends no heartbeat.
      while (performance.now() < until) {
        await consumer.append(1 as Partition, bytesOf('flows'), NOW)
        await delay(20)
      }
      await vi.waitFor(() => expect(handled).toContain(1), WAIT)
      expect(handled).not.toContain(0)
      gate.resolve()
      await vi.waitFor(() => expect(handled).toContain(0), WAIT)
      expect(assignments.toSorted()).toEqual([0, 1, 2, 3])
      await subscription.stop()
      await consumer.stop()
    })

    test('views that are ahead of the log stop it, loudly', async () => {
      const consumer = await openLog(newTopic())
      await consumer.append(0 as Partition, bytesOf('a'), NOW)
      const records = vi.fn(async () => undefined)
      const subscription = await consumer.subscribe('views', { assigned: async () => 5 as Offset, revoked: async () => undefined, records })
      await vi.waitFor(
        () => expect(consumer.ping()).rejects.toMatchObject({ code: 'log_corrupt', message: expect.stringContaining('offset 1') }),
        WAIT,
      )
      expect(records).not.toHaveBeenCalled()
      await subscription.stop()
      await consumer.stop()
    })

    test('refuses more than the bounded bytes of unacknowledged appends, and takes them again later', async () => {
      const bounded = await openLog(newTopic(), { unacknowledgedBytesMax: 2500 })
      const outcomes = await Promise.allSettled([1, 2, 3].map(() => bounded.append(0 as Partition, new Uint8Array(1000), NOW)))
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
      expect(outcomes[2]).toMatchObject({ reason: { code: 'log_overloaded', canRetry: true } })
      expect(await bounded.append(0 as Partition, new Uint8Array(2500), NOW)).toBe(2)
      await bounded.stop()
    })

    test('speaks SASL: with the right password it works, with a wrong one the fault says so without it', async () => {
      const brokers = kafka.server?.saslUrl?.split(',') ?? []
      const secured = await openLog(newTopic(), { brokers, sasl: DEV_SASL })
      const seen: number[] = []
      const subscription = await secured.subscribe('views', {
        assigned: async () => 0 as Offset,
        revoked: async () => undefined,
        records: async (_, records) => void seen.push(records.length),
      })
      await secured.append(0 as Partition, bytesOf('a'), NOW)
      await vi.waitFor(() => expect(seen).toEqual([1]), WAIT)
      await subscription.stop()
      await secured.stop()
      const refused = openLog(newTopic(), { brokers, sasl: { ...DEV_SASL, password: 'wrong-and-secret' } })
      const fault = await refused.catch((error: unknown) => error)
      expect(fault).toMatchObject({ name: 'Fault', code: 'log_unavailable', canRetry: false })
      expect(String(fault)).toMatch(/password/)
      expect(JSON.stringify([String(fault), fault])).not.toContain('wrong-and-secret')
    })

    test('a topic that is made has as many copies by default as a cluster of this size can hold', async () => {
      const events = await openLog(newTopic(), { replication: null })
      await events.stop()
    })

    test.each([
      { wrong: 'no server', brokers: () => freeAddress(), more: {}, says: /ECONNREFUSED.*KAFKA_BROKERS/ },
      { wrong: 'TLS against plain', brokers: () => kafka.server?.url ?? '', more: { ssl: true }, says: /TLS/ },
      { wrong: 'plain against SASL', brokers: () => kafka.server?.saslUrl ?? '', more: {}, says: /SASL/ },
      {
        wrong: 'more copies than brokers',
        brokers: () => kafka.server?.url ?? '',
        more: { replication: 5 },
        says: /lower KAFKA_REPLICATION/,
      },
    ])('with $wrong the start names the address and what to do', async ({ brokers, more, says }) => {
      const address = await brokers()
      const fault = await openLog(newTopic(), { brokers: address.split(','), ...more }).catch((error: unknown) => error)
      expect(fault).toMatchObject({ name: 'Fault', code: 'log_unavailable' })
      expect(String(fault)).toContain(address)
      expect(String(fault)).toMatch(says)
    })
  })

  describe('the log on three brokers', () => {
    test('one killed and brought back: every acknowledged record is there once, and is consumed once', async () => {
      const cluster = await devServerForTest('kafka', { brokers: 3, isOwn: true })
      if (cluster.server === null) throw new Error(cluster.missing)
      const { server, dir } = cluster
      const topic = newTopic()
      const open = () => openLog(topic, { brokers: server.url.split(','), replication: 3, appendMsMax: 60_000 })
      const writer = await open()
      const consumer = await open()
      const views = createViews()
      const subscription = await consumer.subscribe('views', views.handlerOf('a'))
      const writing = appendUntilStopped(writer)
      for (const victim of server.processes.slice(0, 2)) {
        const before = writing.acknowledged()
        await vi.waitFor(() => expect(writing.acknowledged()).toBeGreaterThan(before + 100), WAIT)
        process.kill(victim.pid, 'SIGKILL')
        const after = writing.acknowledged()
        await vi.waitFor(() => expect(writing.acknowledged()).toBeGreaterThan(after + 200), WAIT)
        await startDevServers({ dir, names: ['kafka'] })
      }
      const acknowledged = await writing.stop()
      await vi.waitFor(() => expect(views.values().length).toBeGreaterThanOrEqual(acknowledged.length), WAIT)
      expect(writing.failures()).toEqual([])
      expect(views.values().toSorted()).toEqual(acknowledged.toSorted())
      expect(views.violations).toEqual([])
      await subscription.stop()
      await Promise.all([writer.stop(), consumer.stop()])
      await cluster.discard()
    }, 180_000)
  })
}

const WAIT = { timeout: 60_000, interval: 20 }
const NOW = 1_750_000_000_000 as InstantMs

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** An address that nobody listens on. */
function freeAddress(): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(`127.0.0.1:${typeof address === 'object' ? address?.port : ''}`))
    })
  })
}

/** Appends to all partitions, eight at a time, until told to stop; then answers the acknowledged records. */
function appendUntilStopped(writer: EventLog) {
  const acknowledged: string[] = []
  const failures: unknown[] = []
  let isStopped = false
  async function appendFrom(start: number): Promise<void> {
    for (let n = start; !isStopped; n += 8) {
      const partition = (n % PARTITIONS) as Partition
      try {
        const offset = await writer.append(partition, bytesOf(`record-${n}`), NOW)
        acknowledged.push(`${partition}/${offset}:record-${n}`)
      } catch (error) {
        failures.push(error)
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const running = Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(appendFrom))
  return {
    acknowledged: () => acknowledged.length,
    failures: () => failures,
    async stop() {
      isStopped = true
      await running
      return acknowledged
    },
  }
}

/** State that several consumers share: positions, handled records, and violations of the rules. */
function createViews() {
  const positions = new Map<Partition, Offset>()
  const owner = new Map<Partition, string>()
  const handled: string[] = []
  const violations: string[] = []
  const handlerOf = (name: string): LogHandler => ({
    async assigned(partition) {
      const other = owner.get(partition)
      if (other !== undefined) violations.push(`${name} was given ${partition} while ${other} had it`)
      owner.set(partition, name)
      return positions.get(partition) ?? (0 as Offset)
    },
    async revoked(partition) {
      if (owner.get(partition) === name) owner.delete(partition)
    },
    async records(partition, records) {
      if (owner.get(partition) !== name) violations.push(`${name} got records of ${partition}`)
      await new Promise((resolve) => setTimeout(resolve, 3))
      for (const record of records) {
        const expected = positions.get(partition) ?? 0
        if (record.offset !== expected) violations.push(`${name} got offset ${record.offset} of ${partition}, expected ${expected}`)
        positions.set(partition, (record.offset + 1) as Offset)
        handled.push(`${partition}/${record.offset}:${new TextDecoder().decode(record.value)}`)
      }
    },
  })
  return {
    handlerOf,
    violations,
    values: () => handled,
    owners: () => Array.from({ length: PARTITIONS }, (_, partition) => owner.get(partition as Partition) ?? ''),
  }
}
