import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import type { Logger } from 'pino'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { isTokenText } from '../api/me/customer-tokens.ts'
import { openListedOrigins } from '../api/tenants/listed-origins.ts'
import type { Cancel, Clock } from '../base/clock.ts'
import { VENDORS } from '../compat/vendors.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import type { Stage } from '../schemas/http/stage.ts'
import { backUpStores } from './backup/back-up-stores.ts'
import { controlSocket } from './backup/control-socket.ts'
import { ensureAdminKey } from './first-key.ts'
import { consoleDoor } from './http/console/console-door.ts'
import { createConsoleSessions } from './http/console/console-sessions.ts'
import { createHttpApp } from './http/http-app.ts'
import type { FindPrincipal } from './http/keys/authentication.ts'
import { createKeyRing } from './http/keys/key-ring.ts'
import { createKeyUses, type KeyUses } from './http/keys/key-uses.ts'
import { readTls, reloadTls, type TlsFiles, type TlsPair } from './http/tls.ts'
import { createKit, type Kit } from './kit.ts'
import { createLifeCycle } from './life-cycle.ts'
import { CommandFailed } from './process/command-failed.ts'
import { observeProcessMemory } from './process/memory.ts'
import { readinessRoutes, readReadiness } from './readiness.ts'
import type { Config } from './settings/config.ts'
import { openStages } from './stages.ts'
import { isAllElsewhere, openRoleStores, type RoleStores } from './stores.ts'

export type Server = {
  readonly url: string
  /** Created by this start, to be printed once; null when the tenant had one. */
  readonly newAdminKey: string | null
  /** Takes no more requests, finishes those under way, writes their events and closes the stores. */
  stop(): Promise<void>
}

export type ServerOptions = { readonly config: Config; readonly clock: Clock; readonly log: Logger; readonly version: string }

/** Opens the stores, starts the stages of this process's roles and listens. When one of them fails, the others are closed again. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config, clock, log } = options
  const tls = tlsOf(config)
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  observeProcessMemory(registry)
  const stores = await openRoleStores({ config, clock, log, registry, doing: 'serve' }, config.roles)
  const operatorSockets = new WeakSet<Socket>()
  const kit = createKit({ clock, log, registry, config, stores })
  const keyUses = createKeyUses({ keys: stores.keys, clock, log })
  const door = createDoor(options, kit, keyUses)
  const app = createApp(options, kit, door, operatorSockets, tls?.pair)
  const stages = openStages(kit, config.roles)
  // The stores stop last; the server listens last and is the first to refuse new work.
  const lifeCycle = createLifeCycle(
    [
      { name: 'stores', stop: stores.stop },
      keyUsesStage(keyUses),
      ...controlStages(stores, options),
      ...stages,
      httpStage(app, config),
      ...(tls === null ? [] : [tlsStage(app, tls, options)]),
      ...opsStages(app, operatorSockets, config),
    ],
    {
      drainMsMax: config.drainMaxMs,
      clock,
      log,
    },
  )
  let isDraining = false
  const stop = async () => {
    isDraining = true
    await lifeCycle.stop()
    log.info('stopped')
  }
  try {
    const newAdminKey = await ensureAdminKey(stores.keys, config.adminKey)
    app.register(
      readinessRoutes(() => readReadiness({ roles: config.roles, stores, stages: lifeCycle.health(), isDraining, clock }), clock),
    )
    app.register(
      consoleDoor({ sessions: door.sessions, findPrincipal: door.findKey, store: stores.consoleSessions, version: options.version }),
    )
    for (const { routes } of stages) if (routes !== undefined) app.register(routes)
    await lifeCycle.start()
    return { url: urlOf(app, config), newAdminKey, stop }
  } catch (error) {
    await stop().catch((stopError: unknown) => log.error({ err: stopError }, 'start not undone'))
    throw error
  }
}

/** Who gets in: by a key, or by the cookie of the console. */
function createDoor({ config, clock }: ServerOptions, kit: Kit, uses: KeyUses) {
  const { keys, changes, consoleSessions } = kit.stores
  const keyRing = createKeyRing({ keys, feed: changes, clock, wrongKeysMax: config.wrongKeysMax, uses })
  const findPrincipal: FindPrincipal = (secret, request) =>
    isTokenText(secret) ? kit.customerTokens.find(secret) : keyRing(secret, request)
  return {
    findPrincipal,
    findKey: keyRing,
    sessions: createConsoleSessions({ store: consoleSessions, feed: changes, clock }),
  }
}

function createApp(
  { config, clock, log, version }: ServerOptions,
  { registry, customerNames, stores: { changes, idempotency, tenantSettings } }: Kit,
  { findPrincipal, sessions }: ReturnType<typeof createDoor>,
  operatorSockets: WeakSet<Socket>,
  tls: TlsPair | undefined,
): HttpApp {
  return createHttpApp({
    findPrincipal,
    findSignedIn: async (request) => (await sessions.of(request)).principal,
    isListedOrigin: openListedOrigins(tenantSettings, changes),
    idempotency,
    customerNames,
    clock,
    log,
    registry,
    bodyBytesMax: config.bodyBytesMax,
    connections: { connectionsMax: config.connectionsMax },
    ...(tls === undefined ? {} : { tls }),
    trustedProxies: config.trustedProxies,
    operatorSockets,
    docsReaders: config.docsReaders,
    version,
    vendors: VENDORS,
  })
}

function keyUsesStage({ start, stop }: KeyUses): Stage {
  return { name: 'key uses', start: async () => start(), stop }
}

function httpStage(app: HttpApp, { host, port }: Config): Stage {
  return {
    name: 'http',
    async start() {
      await app.listen({ host, port })
    },
    drain: () => app.close(),
  }
}

/** A process whose stores are all on servers holds no directory, and has nothing of its own to back up. */
function controlStages(stores: RoleStores, { config, clock, log }: ServerOptions): Stage[] {
  const { dataDir } = config
  if (isAllElsewhere(config)) return []
  return [controlSocket({ dataDir, log, backUp: (target, onProgress) => backUpStores({ stores, dataDir, target, clock, onProgress }) })]
}

type Tls = { readonly files: TlsFiles; readonly pair: TlsPair }

function tlsOf({ tlsCert: certPath, tlsKey: keyPath }: Config): Tls | null {
  if (certPath === null || keyPath === null) return null
  const files = { certPath, keyPath }
  try {
    return { files, pair: readTls(files) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandFailed(`TOLLGATE_TLS_CERT and TOLLGATE_TLS_KEY are no certificate and its key: ${why}`, 2)
  }
}

function tlsStage(app: HttpApp, { files, pair }: Tls, { clock, log }: ServerOptions): Stage {
  let cancel: Cancel | null = null
  return {
    name: 'tls',
    async start() {
      cancel = reloadTls(app.server as unknown as TlsServer, files, pair, clock, log)
    },
    async stop() {
      cancel?.()
    },
  }
}

/** Listens for operators from the start to the stop of the other stages. */
function opsStages(app: HttpApp, operatorSockets: WeakSet<Socket>, { host, opsPort }: Config): Stage[] {
  if (opsPort === null) return []
  const server = createServer({ requestTimeout: OPS_REQUEST_TIMEOUT_MS }, (request, response) => app.routing(request, response))
  server.maxConnections = OPS_CONNECTIONS_MAX
  server.on('connection', (socket) => operatorSockets.add(socket))
  return [
    {
      name: 'ops',
      async start() {
        server.listen(opsPort, host)
        await once(server, 'listening')
      },
      async stop() {
        server.close()
        server.closeAllConnections()
      },
    },
  ]
}

/** Scrapers, probes, and a person or two. */
const OPS_CONNECTIONS_MAX = 64
const OPS_REQUEST_TIMEOUT_MS = 30_000

function urlOf(app: HttpApp, config: Config): string {
  const { port } = app.server.address() as AddressInfo
  const host = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host
  return `${config.tlsCert === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
