import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../../deploy/dev/server-process.ts'
import { startGateway } from '../support/servers/gateway.ts'

/** A process of a role, which answers what the test says; `break` ends the connection once the request is read. */
type Role = { answers: number | 'break'; readonly bodies: string[]; stop(): void }

const TRIES = 24

async function startRole(address: string, port: number): Promise<Role> {
  const role: Role = { answers: 202, bodies: [], stop: () => stopServer(server) }
  const server = createServer(async (request, response) => {
    role.bodies.push((await request.toArray()).join(''))
    if (role.answers === 'break') request.socket.resetAndDestroy()
    else response.writeHead(role.answers, role.answers === 503 ? { 'retry-after': '2' } : {}).end()
  })
  server.listen(port, address)
  await once(server, 'listening')
  return role
}

function stopServer(server: Server): void {
  server.close()
  server.closeAllConnections()
}

const port = await freePort()
const ingest = ['127.0.0.2', '127.0.0.3']
const api = ['127.0.0.4', '127.0.0.5']
const gateway = await startGateway({ port, addresses: { ingest, api } })
const roles = await Promise.all([...ingest, ...api].map((address) => startRole(address, port)))
afterAll(async () => {
  for (const role of roles) role.stop()
  if (!('missing' in gateway)) await gateway.discard()
})

describe.skipIf('missing' in gateway)(
  `nginx with the file of deploy/gateway${'missing' in gateway ? ` (not run: ${gateway.missing})` : ''}`,
  () => {
    const [broken, well, brokenApi, wellApi] = roles as [Role, Role, Role, Role]
    beforeEach(() => {
      for (const role of roles) {
        role.answers = 202
        role.bodies.length = 0
      }
    })

    const url = 'missing' in gateway ? '' : gateway.url
    async function statuses(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<number[]> {
      const found: number[] = []
      for (let nth = 0; nth < TRIES; nth++) {
        const answer = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) })
        await answer.arrayBuffer()
        found.push(answer.status)
      }
      return found
    }

    test.each([503, 'break'] as const)('events go to the other process, whole, where one answers %s', async (answers) => {
      broken.answers = answers
      const body = JSON.stringify([{ id: 'e', type: 't', customer: 'c', data: { text: 'x'.repeat(200_000) } }])
      expect(new Set(await statuses('POST', '/v1/events', {}, body))).toEqual(new Set([202]))
      expect(broken.bodies.length).toBeGreaterThan(0)
      expect(well.bodies).toEqual(Array.from({ length: TRIES }, () => body))
      expect(brokenApi.bodies).toEqual([])
    })

    test('a 503 of every process is the answer, and says when to come again', async () => {
      broken.answers = 503
      well.answers = 503
      const answer = await fetch(`${url}/v1/events`, { method: 'POST', body: '{}' })
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2'])
    })

    test.each([
      { path: '/v1/decisions', goesOn: true },
      { path: '/v1/rate', goesOn: true },
      { path: '/v1/reservations/call-1/settle', goesOn: true },
      { path: '/v1/reservations/call-1/release', goesOn: true },
      { path: '/v1/subscriptions', headers: { 'idempotency-key': 'k' }, goesOn: true },
      { path: '/v1/subscriptions', goesOn: false },
      { path: '/v1/usage', goesOn: false },
      { path: '/v1/customers/acme', method: 'PUT', goesOn: true },
      { path: '/v1/customers/acme', method: 'GET', goesOn: true },
    ])('$path: goes on from a 503: $goesOn', async ({ path, method = 'POST', headers = {}, goesOn }) => {
      brokenApi.answers = 503
      const found = await statuses(method, path, headers, method === 'GET' ? undefined : '{}')
      expect(brokenApi.bodies.length).toBeGreaterThan(0)
      expect(wellApi.bodies.length).toBeGreaterThan(0)
      expect(new Set(found)).toEqual(new Set(goesOn ? [202] : [202, 503]))
    })

    test.each(['/metrics', '/readyz'])('%s is not passed on', async (path) => {
      expect((await fetch(url + path)).status).toBe(404)
    })

    // Last, as the process stays away.
    test('what could not be sent to one process goes to the other, whatever it is', async () => {
      brokenApi.stop()
      expect(new Set(await statuses('POST', '/v1/usage', {}, '{}'))).toEqual(new Set([202]))
      expect(wellApi.bodies).toHaveLength(TRIES)
    })
  },
)
