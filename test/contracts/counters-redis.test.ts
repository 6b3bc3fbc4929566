import { randomBytes, randomUUID } from 'node:crypto'
import { createClient } from '@redis/client'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, describe, expect, test } from 'vitest'
import { openRedisCounters, type RedisCountersOptions } from '../../adapters/counters/redis-counters.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { devServerForTest } from '../support/dev-servers.ts'
import { describeHolds } from './counter-holds.ts'
import { type CountersPlace, describeCounters } from './counters.ts'

const redis = await devServerForTest('redis')
afterAll(() => redis.discard())

const log = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })

function open(url: string, keyPrefix: string, options: Partial<RedisCountersOptions> = {}) {
  return openRedisCounters({ url, keyPrefix, clock: { now: () => 0 as InstantMs }, log, registry: new Registry(), randomBytes, ...options })
}

async function removeKeys(url: string, keyPrefix: string): Promise<void> {
  const client = createClient({ url })
  await client.connect()
  for await (const keys of client.scanIterator({ MATCH: `${keyPrefix}:*`, COUNT: 1000 })) if (keys.length > 0) await client.unlink(keys)
  client.destroy()
}

describe.skipIf(redis.server === null)(`on Redis${redis.missing === null ? '' : ` (not run: ${redis.missing})`}`, () => {
  const url = redis.server?.url ?? ''

  async function makePlace(): Promise<CountersPlace> {
    const keyPrefix = `test-${randomUUID()}`
    return { open: (now) => open(url, keyPrefix, { clock: { now } }), remove: () => removeKeys(url, keyPrefix) }
  }
  describeCounters(`redis (${redis.server?.version})`, makePlace)
  describeHolds(`redis (${redis.server?.version})`, makePlace)

  test('placeholder', () => {
    expect(true).toBe(true)
  })
})
