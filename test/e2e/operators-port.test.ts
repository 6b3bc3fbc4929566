import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../crash/free-port.ts'
import { removeDirectory, startTollgate, type TollgateProcess } from '../support/servers/tollgate-process.ts'

let tollgate: TollgateProcess
let opsUrl: string

beforeAll(async () => {
  const opsPort = await freePort()
  opsUrl = `http://127.0.0.1:${opsPort}`
  tollgate = await startTollgate({ env: { TOLLGATE_OPS_PORT: String(opsPort), TOLLGATE_DOCS: 'operators' } })
})
afterAll(async () => {
  await tollgate.kill()
  await removeDirectory(tollgate.dataDir)
})

describe.each([
  { path: '/healthz', open: 200, admin: 200, ops: 200 },
  { path: '/readyz', open: 200, admin: 200, ops: 200 },
  { path: '/metrics', open: 401, admin: 200, ops: 200 },
  { path: '/docs', open: 401, admin: 200, ops: 200 },
  { path: '/openapi.json', open: 401, admin: 200, ops: 200 },
  { path: '/v1/meters', open: 401, admin: 200, ops: 404 },
])('$path', ({ path, open, admin, ops }) => {
  test(`is ${open} without a key, ${admin} with an admin key, ${ops} on the operators' port`, async () => {
    expect((await fetch(`${tollgate.url}${path}`)).status).toBe(open)
    expect((await tollgate.call('GET', path)).status).toBe(admin)
    expect((await fetch(`${opsUrl}${path}`)).status).toBe(ops)
    // A key opens nothing more there, as tenants' routes are not on that port.
    expect((await fetch(`${opsUrl}${path}`, { headers: { authorization: `Bearer ${tollgate.adminKey}` } })).status).toBe(ops)
  })
})

test('without a key readiness is one word; with an admin key, or on the port of the operators, it is all that is known', async () => {
  expect(await (await fetch(`${tollgate.url}/readyz`)).json()).toEqual({ status: 'ready' })
  const all = { status: 'ready', seams: { eventLog: { ok: true } }, stages: { aggregator: { ok: true } } }
  expect(await tollgate.ok('GET', '/readyz')).toMatchObject(all)
  expect(await (await fetch(`${opsUrl}/readyz`)).json()).toMatchObject(all)
})
