import type { Static } from 'typebox'
import { Type } from 'typebox'
import type { ApiKeyStore, KeyRecord } from '../../adapters/database/keys/api-key-store.ts'
import { isAddressRange } from '../../base/address-range.ts'
import type { Clock } from '../../base/clock.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { hasScope, type KeyKind, type Narrowing, type Principal, type Scope } from '../../domain/principal.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseFields } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import { ApiKeyInputSchema, ApiKeySchema, NewApiKeySchema, RotationSchema } from '../../schemas/http/keys.ts'

export type KeyRoutesDeps = {
  readonly keys: Pick<ApiKeyStore, 'create' | 'end' | 'get' | 'list' | 'rotate'>
  readonly clock: Pick<Clock, 'now'>
  /** `tg_sk_` or `tg_pk_`, 256 random bits and a checksum. */
  readonly createSecret: (kind: KeyKind) => string
  /** As the keys of requests are hashed. */
  readonly hashSecret: (secret: string) => string
}

/** Not idempotent by `Idempotency-Key`: the answers hold secrets, and answers of idempotent routes are stored. */
export function keyRoutes({ keys, clock, createSecret, hashSecret }: KeyRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/v1/keys', { config: { scope: 'admin' }, schema: CREATE_KEY }, async (request, reply) => {
      const { name, scopes, kind = 'secret', only, expiresAt, allowedFrom = [] } = request.body
      const { tenant, keyId } = request.principal
      orThrow(checkScopes(request.principal, kind, scopes))
      const expiresAtMs = expiresAt === undefined ? null : orThrow(readEnd(expiresAt, clock.now()))
      orThrow(checkRanges(allowedFrom))
      const secret = createSecret(kind)
      const record = await keys.create({
        ...{ tenant, name, kind, only: only ?? null, scopes: [...new Set(scopes)], secretHash: hashSecret(secret) },
        ...{ createdBy: keyId, expiresAtMs, allowedFrom },
      })
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...keyJson(record), key: secret })
    })
    app.get('/v1/keys', { config: { scope: 'admin' }, schema: LIST_KEYS }, async (request) => {
      const records = await keys.list(request.principal.tenant)
      return { data: records.map(keyJson), nextCursor: null }
    })
    app.get('/v1/keys/:id', { config: { scope: 'admin' }, schema: GET_KEY }, async ({ principal, params: { id } }) => {
      return keyJson(orThrow((await keys.get(principal.tenant, id)) ?? refuse('unknown_key', { key: id })))
    })
    app.delete('/v1/keys/:id', { config: { scope: 'admin' }, schema: END_KEY }, async ({ principal, params: { id } }) => {
      return keyJson(orThrow(await keys.end(principal.tenant, id)))
    })
    app.post('/v1/keys/:id/rotate', { config: { scope: 'admin' }, schema: ROTATE_KEY }, async (request, reply) => {
      const { tenant } = request.principal
      const { id } = request.params
      const { graceMs = 0 } = request.body
      const { kind } = orThrow((await keys.get(tenant, id)) ?? refuse('unknown_key', { key: id }))
      const secret = createSecret(kind)
      const record = orThrow(await keys.rotate(tenant, id, hashSecret(secret), graceMs))
      return reply.header('cache-control', 'no-store').send({ ...keyJson(record), key: secret })
    })
  }
}

const TAGS = { tags: ['keys'] }
const KeyIdParamsSchema = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) })

const CREATE_KEY = {
  ...TAGS,
  operationId: 'createKey',
  summary: 'Make an API key of this tenant; the secret is in this answer and nowhere else',
  body: ApiKeyInputSchema,
  response: { 201: NewApiKeySchema, ...REFUSALS },
}
const LIST_KEYS = {
  ...TAGS,
  operationId: 'listKeys',
  summary: 'API keys of this tenant, ended ones too, without their secrets',
  querystring: Type.Object({}),
  response: { 200: PageSchema(ApiKeySchema), ...REFUSALS },
}
const GET_KEY = {
  ...TAGS,
  operationId: 'getKey',
  summary: 'One API key, without its secret',
  params: KeyIdParamsSchema,
  response: { 200: ApiKeySchema, ...REFUSALS },
}
const END_KEY = {
  ...TAGS,
  operationId: 'endKey',
  summary: 'End an API key at once, on every process within a second; it stays in the list',
  params: KeyIdParamsSchema,
  response: { 200: ApiKeySchema, ...REFUSALS },
}
const ROTATE_KEY = {
  ...TAGS,
  operationId: 'rotateKey',
  summary: 'Give an API key a new secret; the one until now stays good for `graceMs`, and the one before it ends at once',
  params: KeyIdParamsSchema,
  body: RotationSchema,
  response: { 200: NewApiKeySchema, ...REFUSALS },
}

function readEnd(text: string, nowMs: InstantMs): Outcome<InstantMs> {
  const endMs = parseInstant(text, 'expiresAt')
  if (isRefusal(endMs) || endMs > nowMs) return endMs
  const detail = `expiresAt must be after now, ${instantJson(nowMs)}, was '${text}'`
  return refuseFields('key_ends_in_past', [{ field: 'expiresAt', code: 'key_ends_in_past', detail }])
}

/** No key makes one that may more than itself. */
function checkScopes(maker: Principal, kind: KeyKind, scopes: readonly Scope[]): Outcome<null> {
  if (kind === 'publishable' && scopes.some((scope) => scope !== 'public')) {
    const detail = `a publishable key has scope public alone, as everybody can read it; this one would have ${scopes.join(', ')}`
    return refuseFields('publishable_scopes', [{ field: 'scopes', code: 'publishable_scopes', detail }])
  }
  const errors = scopes.flatMap((scope, at) => {
    if (hasScope(maker, scope)) return []
    const detail = `scopes[${at}] is ${scope}, which this key has not: it has ${maker.scopes.join(', ')}`
    return [{ field: `scopes[${at}]`, code: 'scope_above_own', detail } as const]
  })
  return errors.length === 0 ? null : refuseFields('scope_above_own', errors)
}

function checkRanges(ranges: readonly string[]): Outcome<null> {
  const errors = ranges.flatMap((range, at) => {
    if (isAddressRange(range)) return []
    const detail = `allowedFrom[${at}] must be an IP address or a network such as 10.0.0.0/8, was '${range}'`
    return [{ field: `allowedFrom[${at}]`, code: 'invalid_address_range', detail } as const]
  })
  return errors.length === 0 ? null : refuseFields('invalid_address_range', errors)
}

function keyJson(record: KeyRecord): Static<typeof ApiKeySchema> {
  const { id, name, kind, scopes, only, createdBy, allowedFrom, isConfigured } = record
  const shown = (ms: InstantMs | null) => (ms === null ? null : instantJson(ms))
  return {
    ...{
      id,
      name,
      kind,
      scopes: [...scopes],
      only: only === null ? null : narrowingJson(only),
      createdAt: instantJson(record.createdAtMs),
      createdBy,
      allowedFrom: [...allowedFrom],
      isConfigured,
    },
    ...{ expiresAt: shown(record.expiresAtMs), endedAt: shown(record.endedAtMs), lastUsedAt: shown(record.lastUsedAtMs) },
  }
}

function narrowingJson({ customers, eventTypes, features }: Narrowing): NonNullable<Static<typeof ApiKeySchema>['only']> {
  return {
    ...(customers === undefined ? {} : { customers: [...customers] }),
    ...(eventTypes === undefined ? {} : { eventTypes: [...eventTypes] }),
    ...(features === undefined ? {} : { features: [...features] }),
  }
}
