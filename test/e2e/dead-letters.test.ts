import { randomUUID } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { produceToEachPartition, readKafkaRecords } from '../support/kafka-records.ts'
import { devServerForTest } from '../support/servers/dev-servers.ts'
import { removeDirectory, startTollgate, temporaryDirectory, waitFor } from '../support/servers/tollgate-process.ts'

const kafka = await devServerForTest('kafka')
afterAll(() => kafka.discard())

const PARTITIONS = 2

test('a record that cannot be decoded goes to the dead-letter topic, is counted, and its partition goes on', async ({ skip }) => {
  skip(kafka.server === null, `kafka was not run: ${kafka.missing}`)
  const brokers = kafka.server?.url ?? ''
  const topic = `events-${randomUUID()}`
  const dataDir = await temporaryDirectory()
  const env = { KAFKA_BROKERS: brokers, KAFKA_TOPIC: topic, KAFKA_REPLICATION: '1', TOLLGATE_PARTITIONS: String(PARTITIONS) }
  const tollgate = await startTollgate({ dataDir, env })
  await tollgate.ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'count' })
  const garbage = Buffer.from('no batch of events')
  await produceToEachPartition(brokers, topic, PARTITIONS, garbage)
  const customers = Array.from({ length: 20 }, (_, index) => `c${index}`)
  for (const customer of customers) await tollgate.ok('POST', '/v1/events', { id: 'e1', type: 'call', customer })
  const counted = async () =>
    (
      await tollgate.ok<{ data: { customer: string; value: string }[] }>(
        'GET',
        '/v1/meters/calls/usage?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&groupBy=customer',
      )
    ).data.filter(({ value }) => value === '1').length
  await waitFor(async () => (await counted()) === customers.length)
  const metrics = (await tollgate.call('GET', '/metrics')).text
  expect(metrics).toMatch(new RegExp(`^tollgate_aggregator_records_undecodable_total ${PARTITIONS}$`, 'm'))
  expect(await tollgate.stop()).toBe(0)

  const letters = await readKafkaRecords(brokers, `${topic}-dead-letters`)
  expect(letters.map(({ key }) => key).toSorted()).toEqual([`${topic}/0/0`, `${topic}/1/0`])
  for (const { key, value, headers } of letters) {
    expect(value).toEqual(garbage)
    expect(headers).toMatchObject({
      'tollgate-topic': topic,
      'tollgate-partition': key.split('/')[1],
      'tollgate-offset': '0',
      'tollgate-reason': expect.stringContaining('could not be decoded'),
    })
  }
  await removeDirectory(dataDir)
})
