import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createLmdbEventLog } from '../../adapters/event-log/lmdb/lmdb-event-log.ts'
import type { TenantKey } from '../../domain/identity.ts'
import type { Principal } from '../../domain/principal.ts'
import { createIngest, type Ingest, type IngestLimits } from '../../ingest/ingest.ts'
import { ingestRoutes } from '../../ingest/ingest-routes.ts'
import { createRecordWriter } from '../../ingest/record-writer.ts'
import { createHttpApp, type HttpAppOptions } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import type { HttpApp } from '../../schemas/http/common.ts'

export type IngestApp = { readonly app: HttpApp; readonly ingest: Ingest; readonly port: number; close(): Promise<void> }

/** Ingest over HTTP on its own log. A key is any text `tenant:key`, and may ingest. */
export async function openIngestApp(limits: Partial<IngestLimits>, more: Partial<HttpAppOptions> = {}): Promise<IngestApp> {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-ingest-'))
  const log = pino({ level: 'silent' })
  const clock = systemClock
  const registry = new Registry()
  const eventLog = await createLmdbEventLog({ clock, path, partitions: 2, log, registry: new Registry(), storedBytesMax: 1e9 })
  const ingest = createIngest({
    writer: createRecordWriter({ eventLog, clock, registry }),
    names: { load: async () => new Map() },
    findFormerCustomers: null,
    metersOf: async () => [],
    modelCostsOf: async () => [],
    findSimilarCustomers: async () => ({ existing: new Set(), similar: new Map() }),
    clock,
    log,
    registry,
    limits,
  })
  const app = createHttpApp({
    findPrincipal: principalOf,
    idempotency: {
      claim: async () => null,
      save: async () => undefined,
      release: async () => undefined,
    },
    clock,
    log,
    registry,
    bodyBytesMax: 1024,
    ...more,
  })
  app.register(ingestRoutes({ ingest }))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    app,
    ingest,
    port: (app.server.address() as AddressInfo).port,
    async close() {
      app.server.closeAllConnections()
      await app.close()
      await ingest.drain()
      await eventLog.stop()
      await rm(path, { recursive: true, force: true })
    },
  }
}

function principalOf(secret: string): Principal {
  const [tenant = ''] = secret.split(':')
  return { keyId: secret, tenant: tenant as TenantKey, scopes: ['ingest'] }
}
