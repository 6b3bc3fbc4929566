import { Command, Option } from 'commander'
import { Registry } from 'prom-client'
import { sqlApiKeyStore } from '../../adapters/database/keys/api-key-store.ts'
import { readTenantKey, type TenantKey } from '../../domain/identity.ts'
import { SCOPES, type Scope } from '../../domain/principal.ts'
import { createSecret, DEFAULT_TENANT } from '../first-key.ts'
import { hashSecret } from '../http/keys/key-ring.ts'
import { createLog } from '../log.ts'
import { CommandFailed } from '../process/command-failed.ts'
import { systemClock } from '../process/system-clock.ts'
import { commandConfig } from '../settings/command-config.ts'
import { openDatabaseAlone } from '../stores.ts'

const tenantOption = () => new Option('--tenant <key>', 'whose keys').default(DEFAULT_TENANT).argParser(parseTenant)

export function keysCommand(): Command {
  const keys = new Command('keys').description(
    'make and list API keys in the catalog itself; a running server makes them with POST /v1/keys',
  )
  keys
    .command('create')
    .description('make a key and print it; it is stored hashed and cannot be shown again')
    .requiredOption('--name <name>', 'what the key is for')
    .requiredOption('--scopes <list>', `separated by commas: ${SCOPES.join(', ')}`, parseScopes)
    .addOption(tenantOption())
    .action(createKey)
  keys.command('list').description('list the keys of a tenant').addOption(tenantOption()).action(listKeys)
  return keys
}

async function createKey({ name, scopes, tenant }: { name: string; scopes: readonly Scope[]; tenant: TenantKey }): Promise<void> {
  const secret = createSecret()
  const database = await openDatabase()
  try {
    await sqlApiKeyStore(database.session).create({ tenant, name, scopes, secretHash: hashSecret(secret) })
  } finally {
    await database.stop()
  }
  console.log(secret)
}

async function listKeys({ tenant }: { tenant: TenantKey }): Promise<void> {
  const database = await openDatabase()
  try {
    for (const key of await sqlApiKeyStore(database.session).list(tenant)) {
      console.log(`${key.id}  ${new Date(key.createdAtMs).toISOString()}  ${key.scopes.join(',')}  ${key.name}`)
    }
  } finally {
    await database.stop()
  }
}

function openDatabase() {
  const config = commandConfig()
  const log = createLog({ logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel })
  return openDatabaseAlone({ config, clock: systemClock, log, registry: new Registry(), doing: 'keys' })
}

function parseScopes(given: string): readonly Scope[] {
  const names = given.split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !SCOPES.some((scope) => scope === name))
  if (unknown.length > 0) throw new CommandFailed(`--scopes: ${unknown.join(', ')} is no scope; there are ${SCOPES.join(', ')}`, 2)
  return SCOPES.filter((scope) => names.includes(scope))
}

function parseTenant(given: string): TenantKey {
  const tenant = readTenantKey(given)
  if (tenant !== null) return tenant
  const shown = JSON.stringify(given.slice(0, 80))
  throw new CommandFailed(
    `--tenant: ${shown} is no key of a tenant; it has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit`,
    2,
  )
}
