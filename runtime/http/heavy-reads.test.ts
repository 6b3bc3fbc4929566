import { once } from 'node:events'
import { connect } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import type { TenantKey } from '../../domain/identity.ts'
import { createVirtualClock } from '../../test/support/virtual-clock.ts'
import { createHttpApp } from './http-app.ts'
import { HTTP_BOUNDS } from './http-bounds.ts'

test('a caller who leaves while its answer is read gives the turn back when the read is done, and not before', async () => {
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  let reads = 0
  const app = createHttpApp({
    findPrincipal: () => ({ keyId: 'k', tenant: 'default' as TenantKey, scopes: ['read'] }),
    ...{ idempotency: {} as never, clock: createVirtualClock(1_000_000), log: pino({ level: 'silent' }), registry: new Registry() },
    bodyBytesMax: 1_000,
  })
  app.get('/v1/heavy', { config: { scope: 'read', isHeavyRead: true } }, async () => {
    reads++
    await gate
    return { read: true }
  })
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const most = HTTP_BOUNDS.heavyReadsOfTenant.most
  const sockets = Array.from({ length: most }, () => {
    const socket = connect(Number(url.port), url.hostname)
    socket.write('GET /v1/heavy HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n')
    return socket
  })
  while (reads < most) await new Promise((resolve) => setImmediate(resolve))
  await Promise.all(
    sockets.map((socket) => {
      socket.destroy()
      return once(socket, 'close')
    }),
  )
  const next = fetch(new URL('/v1/heavy', url), { headers: { authorization: 'Bearer x' } })
  await fetch(new URL('/healthz', url))
  expect(reads).toBe(most)
  open()
  expect((await next).status).toBe(200)
  await app.close()
})
