import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { Wait } from 'testcontainers'
import { afterAll, describe } from 'vitest'
import { openRedisCounters } from '../../adapters/counters/redis/redis-counters.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { describeHolds } from '../contracts/counter-holds.ts'
import { type CountersPlace, describeCounters } from '../contracts/counters.ts'
import { composeImage, containerForTest } from '../support/servers/container.ts'

const PORT = 6379
const VALKEY_IMAGE = 'valkey/valkey:8.1-alpine'
const start = (name: string, image: string) =>
  containerForTest(name, image, (container) =>
    container.withExposedPorts(PORT).withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/)),
  )
const servers = [
  { name: 'redis', server: await start('Redis', composeImage('redis')) },
  { name: 'valkey', server: await start('Valkey', VALKEY_IMAGE) },
]
afterAll(() => Promise.all(servers.map(({ server }) => server.discard())))

for (const { name, server } of servers) {
  describe.skipIf(server.container === null)(`in a container${server.missing === null ? '' : ` (not run: ${server.missing})`}`, () => {
    async function makePlace(): Promise<CountersPlace> {
      const url = `redis://${server.container?.getHost()}:${server.container?.getMappedPort(PORT)}`
      const keyPrefix = `test-${randomUUID()}`
      const log = pino({ level: 'silent' })
      // Nothing is removed, as the server ends with the file.
      const open: CountersPlace['open'] = (now) =>
        openRedisCounters({ url, keyPrefix, clock: { ...systemClock, now }, log, registry: new Registry(), random: Math.random })
      return { open, remove: async () => undefined }
    }
    describeCounters(`${name} (${server.image})`, makePlace)
    describeHolds(`${name} (${server.image})`, makePlace)
  })
}
