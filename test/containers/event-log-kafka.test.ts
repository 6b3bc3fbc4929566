import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { Wait } from 'testcontainers'
import { afterAll, describe } from 'vitest'
import { createKafkaEventLog } from '../../adapters/event-log/kafka/kafka-event-log.ts'
import { freePort } from '../../deploy/dev/server-process.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { describeEventLog } from '../contracts/event-log.ts'
import { readDeadLetters } from '../support/kafka-records.ts'
import { composeImage, containerForTest } from '../support/servers/container.ts'

// A broker tells clients its address, so the port must be known before it starts.
const port = await freePort()
const kafka = await containerForTest('Kafka', composeImage('kafka'), (container) =>
  container
    .withExposedPorts({ container: 9092, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/)),
)
afterAll(() => kafka.discard())

const RETENTION_MS = 200 * 365 * 86_400_000

describe.skipIf(kafka.container === null)(`in a container${kafka.missing === null ? '' : ` (not run: ${kafka.missing})`}`, () => {
  describeEventLog(`kafka (${kafka.image})`, async () => {
    const [topic, brokers] = [`events-${randomUUID()}`, `127.0.0.1:${port}`]
    const log = pino({ level: 'silent' })
    return {
      open: (partitions) =>
        createKafkaEventLog({
          clock: systemClock,
          brokers: [brokers],
          topic,
          partitions,
          replication: 1,
          clientId: 'contract-test',
          // The tests' times of receipt are long ago.
          retentionMs: RETENTION_MS,
          log,
          registry: new Registry(),
        }),
      remove: async () => undefined,
      readSetAside: () => readDeadLetters(brokers, `${topic}-dead-letters`),
    }
  })
})
