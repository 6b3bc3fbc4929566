import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { createKafkaEventLog, type KafkaEventLogOptions } from '../../adapters/event-log/kafka-event-log.ts'
import { devServerForTest } from '../support/dev-servers.ts'
import { describeEventLog } from './event-log.ts'

const kafka = await devServerForTest('kafka')
afterAll(() => kafka.discard())

const log = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })
const newTopic = () => `events-${randomBytes(6).toString('hex')}`
const openLog = (topic: string, more: Partial<KafkaEventLogOptions> = {}) =>
  createKafkaEventLog({
    brokers: kafka.server?.url.split(',') ?? [],
    topic,
    partitions: 4,
    replication: 1,
    clientId: 'contract-test',
    log,
    registry: new Registry(),
    ...more,
  })

if (kafka.server === null) {
  test.skip(`event log: kafka was not run: ${kafka.missing}`, () => undefined)
} else {
  describeEventLog(`kafka (${kafka.server.version})`, async () => {
    const topic = newTopic()
    return { open: (partitions) => openLog(topic, { partitions }), remove: async () => undefined }
  })
}
