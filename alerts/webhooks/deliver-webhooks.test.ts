import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Database } from '../../adapters/database/database.ts'
import { openPGliteDatabase } from '../../adapters/database/engine/pglite-database.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import { WEBHOOK_BOUNDS } from '../../domain/webhooks/webhook-bounds.ts'
import { type DatabaseStores, databaseStores } from '../../runtime/database-stores.ts'
import { copyPreparedCatalog } from '../../test/support/prepared-directory.ts'
import { createSettableClock } from '../../test/support/settable-clock.ts'
import { WAITS_MS } from './after-try.ts'
import { createWebhookDeliveries, type WebhookDeliveries } from './deliver-webhooks.ts'
import { webhookAddresses } from './public-address.ts'
import { createWebhookSender } from './send-webhook.ts'
import { webhookSecret } from './signature.ts'

type Received = { readonly path: string; readonly id: string; readonly object: string; readonly type: string }

const TENANT = 't' as TenantKey
const START = Date.now() as InstantMs
const log = pino({ level: 'silent' })
const mayReach = webhookAddresses(['127.0.0.0/8'])

let path: string
let database: Database
let stores: DatabaseStores
let settable: ReturnType<typeof createSettableClock>
let workers: WebhookDeliveries[]
let receiver: Server
let url: string
let received: Received[]
let secrets: Map<string, string>
/** By path; 200 when there is none. */
let answers: Map<string, (request: IncomingMessage, response: ServerResponse) => void>

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'tollgate-webhooks-'))
  await copyPreparedCatalog(path)
  settable = createSettableClock(START)
  database = await openPGliteDatabase({ path, clock: settable.clock, randomBytes, log })
  await database.migrate()
  stores = databaseStores(database.session)
  receiver = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const { url: at = '', headers } = request
    const body = Buffer.concat(parts).toString()
    const { id, type, object } = JSON.parse(body) as Received
    // The official library signs as of the time that the headers say; it verifies none so far from the machine's own.
    const signedAt = new Date(Number(headers['webhook-timestamp']) * 1_000)
    const isSigned = headers['webhook-signature'] === new Webhook(secrets.get(at) ?? '').sign(id, signedAt, body)
    if (!isSigned || headers['webhook-id'] !== id) return void response.writeHead(400).end()
    received.push({ path: at, id, type, object })
    const answer = answers.get(at)
    if (answer === undefined) response.end('ok')
    else answer(request, response)
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
})
afterAll(async () => {
  receiver.closeAllConnections()
  receiver.close()
  await database.stop()
  await rm(path, { recursive: true, force: true })
})
beforeEach(() => {
  settable.set(START)
  received = []
  secrets = new Map()
  answers = new Map()
  workers = []
})
afterEach(async () => {
  receiver.closeAllConnections()
  for (const worker of workers) await worker.stop()
  for (const name of secrets.keys()) await stores.webhookEndpoints.remove(TENANT, name.slice(1))
})

async function endpoint(key: string): Promise<void> {
  const secret = webhookSecret(randomBytes)
  secrets.set(`/${key}`, secret)
  await stores.webhookEndpoints.put(TENANT, { key, url: `${url}/${key}`, types: null }, secret)
}

function startWorker(holder: string): void {
  const sender = createWebhookSender({ mayReach, ownPorts: [], clock: settable.clock })
  const { timedMessages: timed, webhookEndpoints: endpoints, webhookDeliveries: deliveries, billing } = stores
  const worker = createWebhookDeliveries({
    ...{ outbox: billing.outbox, timed, endpoints, deliveries, send: sender.send, clock: settable.clock },
    ...{ random: () => 0, log, registry: new Registry(), holder },
  })
  worker.start()
  workers.push(worker)
}

async function tell(...objects: readonly string[]): Promise<void> {
  const createdAtMs = settable.clock.now()
  await stores.billing.outbox.append(
    TENANT,
    objects.map((object) => ({ type: 'invoice.paid', object, data: { object }, createdAtMs })),
  )
}

const until = (holds: () => void | Promise<void>) => vi.waitFor(holds, { timeout: 20_000, interval: 10 })
const objectsAt = (at: string) => received.filter((each) => each.path === at && each.type === 'invoice.paid').map(({ object }) => object)
const statesOf = async (key: string) => {
  const { data } = await stores.webhookDeliveries.list(TENANT, key, {}, { limit: 100 })
  return data.map(({ state, tries }) => [state, tries])
}

test('one that stalls holds up no other, and has its share of connections alone', async () => {
  await endpoint('slow')
  await endpoint('quick')
  answers.set('/slow', () => undefined)
  const objects = Array.from({ length: 40 }, (_, n) => `o${n}`)
  await tell(...objects)
  startWorker('a')
  await until(() => expect(objectsAt('/quick').sort()).toEqual(objects.toSorted()))
  await until(() => expect(objectsAt('/slow').length).toBe(WEBHOOK_BOUNDS.sendingToEndpoint.most))
})

test('after a failure the next of the object waits, others overtake, and ids stay the same', async () => {
  await endpoint('main')
  let failures = 2
  answers.set('/main', (_request, response) => {
    const isFailing = received.at(-1)?.object === 'a' && failures-- > 0
    response.writeHead(isFailing ? 500 : 204).end()
  })
  await tell('a', 'a', 'b')
  startWorker('a')
  await until(async () =>
    expect(await statesOf('main')).toEqual([
      ['delivered', 1],
      ['pending', 0],
      ['pending', 1],
    ]),
  )
  settable.set((START + 5_000) as InstantMs)
  await until(async () =>
    expect(await statesOf('main')).toEqual([
      ['delivered', 1],
      ['pending', 0],
      ['pending', 2],
    ]),
  )
  settable.set((START + 400_000) as InstantMs)
  await until(async () =>
    expect(await statesOf('main')).toEqual([
      ['delivered', 1],
      ['delivered', 1],
      ['delivered', 3],
    ]),
  )
  const ofA = received.filter(({ object }) => object === 'a').map(({ id }) => id)
  expect(new Set(ofA.slice(0, 3)).size).toBe(1)
  expect(ofA[3]).not.toBe(ofA[0])
})

test('Retry-After is kept; an answer 410 switches off and the others are told', async () => {
  await endpoint('gone')
  await endpoint('busy')
  answers.set('/gone', (_request, response) => void response.writeHead(410).end())
  answers.set('/busy', (_request, response) => void response.writeHead(429, { 'retry-after': '3600' }).end())
  await tell('a')
  startWorker('a')
  await until(async () => expect((await stores.webhookEndpoints.get(TENANT, 'gone'))?.disabled?.reason).toBe('gone'))
  await until(() => expect(received.filter(({ type }) => type === 'webhook.disabled').map((each) => each.path)).toEqual(['/busy']))
  const { data } = await stores.webhookDeliveries.list(TENANT, 'busy', {}, { limit: 1 })
  await until(async () =>
    expect((await stores.webhookDeliveries.list(TENANT, 'busy', {}, { limit: 9 })).data.at(-1)?.nextAtMs).toBe(START + 3_600_000),
  )
  expect(data).toHaveLength(1)
})

test('a message that nobody takes is given up after its last try, and its endpoint switched off', async () => {
  await endpoint('dead')
  answers.set('/dead', (_request, response) => void response.writeHead(500).end())
  await tell('a')
  startWorker('a')
  let nowMs: number = START
  for (const [index, waitMs] of WAITS_MS.entries()) {
    await until(async () => expect(await statesOf('dead')).toEqual([['pending', index + 1]]))
    nowMs += waitMs
    settable.set(nowMs as InstantMs)
  }
  await until(async () => expect(await statesOf('dead')).toEqual([['failed', WAITS_MS.length + 1]]))
  await until(async () => expect((await stores.webhookEndpoints.get(TENANT, 'dead'))?.disabled?.reason).toBe('failing'))
  expect(nowMs - START).toBeGreaterThan(3 * DAY_MS)
})

test('two processes send each message once between them, and one goes on where the other ended', async () => {
  await endpoint('main')
  startWorker('a')
  startWorker('b')
  await tell('a', 'b')
  await until(() => expect(objectsAt('/main').sort()).toEqual(['a', 'b']))
  await workers[0]?.stop()
  settable.set((START + 60_000) as InstantMs)
  await tell('c')
  await until(() => expect(objectsAt('/main').sort()).toEqual(['a', 'b', 'c']))
})
