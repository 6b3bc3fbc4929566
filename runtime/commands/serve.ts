import { Command } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import { createLog } from '../log.ts'
import { CommandFailed } from '../process/command-failed.ts'
import { systemClock } from '../process/system-clock.ts'
import { startWatchdog } from '../process/watchdog.ts'
import { type Server, startServer } from '../server.ts'
import { commandConfig } from '../settings/command-config.ts'
import type { Config } from '../settings/config.ts'
import { ROLES } from '../settings/setting.ts'

type ServeFlags = { readonly roles?: string; readonly host?: string; readonly port?: string; readonly dataDir?: string }

export function serveCommand(): Command {
  return new Command('serve')
    .description('run the server until SIGTERM or SIGINT')
    .option('--roles <list>', 'TOLLGATE_ROLES: what this process does')
    .option('--host <address>', 'TOLLGATE_HOST')
    .option('--port <number>', 'TOLLGATE_PORT')
    .option('--data-dir <path>', 'TOLLGATE_DATA_DIR')
    .action(serve)
}

async function serve(flags: ServeFlags): Promise<void> {
  const startedMs = performance.now()
  const config = commandConfig({
    TOLLGATE_ROLES: flags.roles,
    TOLLGATE_HOST: flags.host,
    TOLLGATE_PORT: flags.port,
    TOLLGATE_DATA_DIR: flags.dataDir,
  })
  checkRolesFit(config)
  const log = createLog(config)
  const stopAsked = stopSignal()
  if (config.stuckAfterMs > 0) startWatchdog(config.stuckAfterMs)
  const server = await startServer({ config, clock: systemClock, log, version: packageJson.version })
  console.log(welcome(server, config, (performance.now() - startedMs) / 1_000))

  const signal = await stopAsked
  log.info({ signal }, 'stop asked for')
  await server.stop()
  // The embedded engines keep threads that would hold the process open.
  process.exit(0)
}

/** Resolves at the first signal. A second one ends the process at once, which the stores survive. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isAsked = false
    const ask = (signal: NodeJS.Signals) => {
      if (isAsked) process.exit(130)
      isAsked = true
      resolve(signal)
    }
    process.on('SIGTERM', ask)
    process.on('SIGINT', ask)
  })
}

function checkRolesFit(config: Config): void {
  if (config.roles.length === ROLES.length) return
  const embedded = [
    { name: 'KAFKA_BROKERS', isSet: config.kafkaBrokers !== null },
    { name: 'CLICKHOUSE_URL', isSet: config.clickhouseUrl !== null },
    { name: 'DATABASE_URL', isSet: config.databaseUrl !== null },
    { name: 'REDIS_URL', isSet: config.redisUrl !== null },
  ].filter(({ isSet }) => !isSet)
  if (embedded.length === 0) return
  throw new CommandFailed(
    `Roles are split (${config.roles.join(', ')}), but an embedded store serves one process only. Set ${embedded.map(({ name }) => name).join(', ')}, or run all roles in one process.`,
    2,
  )
}

function welcome({ url, newAdminKey }: Server, config: Config, seconds: number): string {
  const key = newAdminKey ?? (config.adminKey === null ? '<your key>' : '$TOLLGATE_ADMIN_KEY')
  const lines = [
    `Tollgate ${packageJson.version} is ready after ${seconds.toFixed(1)} s: ${url}`,
    '',
    `  Console        ${url}/console`,
    `  API reference  ${url}/docs`,
    `  Health         ${url}/readyz`,
    `  Metrics        ${config.opsPort === null ? `${url}/metrics, with an admin key` : `/metrics on port ${config.opsPort}`}`,
    `  Data           ${config.dataDir}`,
  ]
  if (newAdminKey !== null) lines.push(`  Admin key      ${newAdminKey}`, '                 shown this once: only its hash is stored')
  lines.push(
    '',
    'Send a first event, and look at it:',
    '',
    `  curl -X POST ${url}/v1/events -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\`,
    `    -d '{"id":"event-1","type":"llm.request","customer":"acme","data":{"model":"small","tokens":1200}}'`,
    `  curl "${url}/v1/events?customer=acme&waitMs=5000" -H "Authorization: Bearer ${key}"`,
    '',
  )
  return lines.join('\n')
}
