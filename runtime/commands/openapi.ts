import { Command } from 'commander'
import { Registry } from 'prom-client'
import packageJson from '../../package.json' with { type: 'json' }
import { openApiText } from '../http/documents/openapi.ts'
import { createHttpApp } from '../http/http-app.ts'
import type { Kit } from '../kit.ts'
import { createLog } from '../log.ts'
import { systemClock } from '../process/system-clock.ts'
import { readinessRoutes } from '../readiness.ts'
import { commandConfig } from '../settings/command-config.ts'
import { ROLES } from '../settings/setting.ts'
import { openStages } from '../stages.ts'

export function openapiCommand(): Command {
  return new Command('openapi').description('print the OpenAPI document; opens no store').action(async () => {
    process.stdout.write(await openApiDocument())
  })
}

/** The document of all roles. Stages are opened on stores that are not there, as a route is described without being asked. */
async function openApiDocument(): Promise<string> {
  const config = commandConfig({ TOLLGATE_LOG_LEVEL: 'fatal' })
  const log = createLog(config)
  const registry = new Registry()
  const environment = { clock: systemClock, log, registry, config }
  const kit = new Proxy(environment as Kit, { get: (known, name) => Reflect.get(known, name) ?? notThere() })
  const app = createHttpApp({
    ...{ findPrincipal: () => null, idempotency: notThere(), clock: systemClock, log, registry },
    ...{ bodyBytesMax: config.bodyBytesMax, version: packageJson.version },
  })
  app.register(readinessRoutes(notThere, systemClock))
  for (const { routes } of openStages(kit, ROLES)) if (routes !== undefined) app.register(routes)
  await app.ready()
  return openApiText(app)
}

/** Answers every name and every call with itself. */
function notThere<Thing>(): Thing {
  const nothing: unknown = new Proxy(() => nothing, {
    get: (_target, name) => (name === 'then' || name === Symbol.iterator ? undefined : nothing),
    apply: () => nothing,
  })
  return nothing as Thing
}
