import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Clock } from '../base/clock.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import { ensureAdminKey } from './first-key.ts'
import { createHttpApp } from './http/http-app.ts'
import { createKeyRing } from './http/key-ring.ts'
import { readinessRoutes, readReadiness } from './readiness.ts'
import type { Config } from './settings/config.ts'
import { type Stages, startStages } from './stages.ts'
import { openRoleStores, type RoleStores } from './stores.ts'

export type Server = {
  readonly url: string
  /** Made by this start, to be printed once; null when the tenant had one. */
  readonly newAdminKey: string | null
  /** Takes no more requests, ends those under way, writes what they brought and lets go of the stores. */
  stop(): Promise<void>
}

export type ServerOptions = { readonly config: Config; readonly clock: Clock; readonly log: Logger; readonly version: string }

/** Opens the stores, starts the stages of this process's roles and listens. When one of them fails, the others are let go of. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config, clock, log } = options
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const stores = await openRoleStores({ config, clock, log, registry, doing: 'serve' }, config.roles)
  const state: ServerState = { isDraining: false, app: null, stages: null, stores }
  try {
    const newAdminKey = await ensureAdminKey(stores.catalog, config.adminKey)
    state.app = createApp(options, registry, state)
    state.stages = await startStages({ app: state.app, config, clock, log, registry, stores })
    await state.app.listen({ host: config.host, port: config.port })
    return { url: urlOf(state.app, config), newAdminKey, stop: () => stopServer(state, options) }
  } catch (error) {
    await stopServer(state, options).catch((stopError: unknown) => log.error({ err: stopError }, 'start not undone'))
    throw error
  }
}

type ServerState = { isDraining: boolean; app: HttpApp | null; stages: Stages | null; stores: RoleStores }

function createApp({ config, clock, log, version }: ServerOptions, registry: Registry, state: ServerState): HttpApp {
  const { catalog } = state.stores
  const app = createHttpApp({
    findPrincipal: createKeyRing(catalog),
    idempotency: catalog,
    clock,
    log,
    registry,
    bodyBytesMax: config.bodyBytesMax,
    version,
  })
  app.register(readinessRoutes(() => readReadiness(config.roles, state.stores, state.stages?.aggregator ?? null, state.isDraining)))
  return app
}

/** From the edge inwards, so that nothing new arrives at what is stopped; a step that fails does not keep the next from running. */
async function stopServer(state: ServerState, { config, log }: ServerOptions): Promise<void> {
  state.isDraining = true
  const { app, stages, stores } = state
  const failures: unknown[] = []
  const step = (work: () => Promise<unknown>) => work().catch((error: unknown) => failures.push(error))
  if (app !== null) await step(() => within(config.drainMaxMs, app.close()))
  if (stages !== null) await step(() => stages.stop())
  await step(() => stores.stop())
  for (const failure of failures) log.error({ err: failure }, 'stopped with a failure')
  if (failures.length > 0) throw failures[0]
  log.info('stopped')
}

async function within(waitMsMax: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not ended within ${waitMsMax} ms`)), waitMsMax)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function urlOf(app: HttpApp, config: Config): string {
  const { port } = app.server.address() as AddressInfo
  const host = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
