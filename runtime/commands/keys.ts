import { Command, Option } from 'commander'
import { Registry } from 'prom-client'
import { actAs } from '../../adapters/database/acting.ts'
import { type ApiKeyStore, type KeyRecord, sqlApiKeyStore } from '../../adapters/database/keys/api-key-store.ts'
import { isAddressRange } from '../../base/address-range.ts'
import { type InstantMs, readTenantKey, type TenantKey } from '../../domain/identity.ts'
import { KEY_KINDS, type KeyKind, SCOPES, type Scope } from '../../domain/principal.ts'
import { isRefusal, type Outcome } from '../../domain/refusal.ts'
import { parseInstantText } from '../../domain/time/instant-text.ts'
import { ROTATION_GRACE_MS_MAX } from '../../schemas/http/keys.ts'
import { refusalDetail } from '../../schemas/http/refusal-answer.ts'
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
    'make, list, end and rotate API keys in the catalog itself; a running server does so with /v1/keys',
  )
  keys
    .command('create')
    .description('make a key and print it; it is stored hashed and cannot be shown again')
    .requiredOption('--name <name>', 'what the key is for')
    .requiredOption('--scopes <list>', `separated by commas: ${SCOPES.join(', ')}`, parseScopes)
    .addOption(new Option('--kind <kind>', 'a publishable key has scope public alone').choices(KEY_KINDS).default('secret'))
    .option('--expires-at <instant>', 'refused from then on, such as 2027-01-01T00:00:00Z', parseEnd)
    .option('--allowed-from <list>', 'addresses and networks it may be used from, separated by commas', parseRanges, [])
    .addOption(tenantOption())
    .action(createKey)
  keys.command('list').description('list the keys of a tenant').addOption(tenantOption()).action(listKeys)
  keys.command('end <id>').description('end a key at once').addOption(tenantOption()).action(endKey)
  keys
    .command('rotate <id>')
    .description('give a key a new secret and print it')
    .option('--grace-ms <ms>', 'how long the secret until now stays good', parseGrace, 0)
    .addOption(tenantOption())
    .action(rotateKey)
  return keys
}

type Created = {
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly kind: KeyKind
  readonly tenant: TenantKey
  readonly expiresAt?: InstantMs
  readonly allowedFrom: readonly string[]
}

async function createKey({ name, scopes, kind, tenant, expiresAt, allowedFrom }: Created): Promise<void> {
  if (kind === 'publishable' && scopes.some((scope) => scope !== 'public')) {
    throw new CommandFailed('--kind publishable: everybody can read such a key, so it has --scopes public alone', 2)
  }
  const secret = createSecret(kind)
  await withKeys((keys) =>
    keys.create({ tenant, name, scopes, kind, expiresAtMs: expiresAt ?? null, allowedFrom, secretHash: hashSecret(secret) }),
  )
  console.log(secret)
}

async function listKeys({ tenant }: { tenant: TenantKey }): Promise<void> {
  for (const key of await withKeys((keys) => keys.list(tenant))) {
    console.log(`${key.id}  ${new Date(key.createdAtMs).toISOString()}  ${key.scopes.join(',')}  ${stateOf(key)}  ${key.name}`)
  }
}

async function endKey(id: string, { tenant }: { tenant: TenantKey }): Promise<void> {
  orFail(await withKeys((keys) => keys.end(tenant, id)))
  console.log(`${id} has ended`)
}

async function rotateKey(id: string, { tenant, graceMs }: { tenant: TenantKey; graceMs: number }): Promise<void> {
  const secret = await withKeys(async (keys) => {
    const made = createSecret((await keys.get(tenant, id))?.kind)
    orFail(await keys.rotate(tenant, id, hashSecret(made), graceMs))
    return made
  })
  console.log(secret)
}

async function withKeys<Value>(work: (keys: ApiKeyStore) => Promise<Value>): Promise<Value> {
  const database = await openDatabase()
  try {
    return await actAs({ actor: 'command/keys' }, () => work(sqlApiKeyStore(database.session)))
  } finally {
    await database.stop()
  }
}

function stateOf({ endedAtMs, expiresAtMs }: KeyRecord): string {
  if (endedAtMs !== null) return `ended ${new Date(endedAtMs).toISOString()}`
  if (expiresAtMs === null) return 'good'
  return `${expiresAtMs <= systemClock.now() ? 'ended' : 'good until'} ${new Date(expiresAtMs).toISOString()}`
}

function orFail(outcome: Outcome<KeyRecord>): void {
  if (isRefusal(outcome)) throw new CommandFailed(refusalDetail(outcome), 1)
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

function parseEnd(given: string): InstantMs {
  const endMs = parseInstantText(given)
  if (endMs !== undefined && endMs > systemClock.now()) return endMs as InstantMs
  throw new CommandFailed(`--expires-at: ${JSON.stringify(given.slice(0, 80))} is no instant ahead of now, such as 2027-01-01T00:00:00Z`, 2)
}

function parseRanges(given: string): readonly string[] {
  const ranges = given.split(',').map((range) => range.trim())
  const wrong = ranges.find((range) => !isAddressRange(range))
  if (wrong === undefined) return ranges
  throw new CommandFailed(`--allowed-from: ${JSON.stringify(wrong.slice(0, 80))} is no IP address and no network such as 10.0.0.0/8`, 2)
}

function parseGrace(given: string): number {
  const graceMs = Number(given)
  if (Number.isInteger(graceMs) && graceMs >= 0 && graceMs <= ROTATION_GRACE_MS_MAX) return graceMs
  throw new CommandFailed(`--grace-ms: ${JSON.stringify(given.slice(0, 80))} is no whole number from 0 to ${ROTATION_GRACE_MS_MAX}`, 2)
}
