import type { Static } from 'typebox'
import { Type } from 'typebox'
import type { ApiKeyStore, KeyRecord } from '../../adapters/database/keys/api-key-store.ts'
import { isAddressRange } from '../../base/address-range.ts'
import type { Clock } from '../../base/clock.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseFields } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import { ApiKeyInputSchema, ApiKeySchema, NewApiKeySchema, RotationSchema } from '../../schemas/http/keys.ts'

export type KeyRoutesDeps = {
  readonly keys: Pick<ApiKeyStore, 'create' | 'end' | 'get' | 'list' | 'rotate'>
  readonly clock: Pick<Clock, 'now'>
  /** `tg_sk_`, 256 random bits and a checksum. */
  readonly createSecret: () => string
  /** As the keys of requests are hashed. */
  readonly hashSecret: (secret: string) => string
}

/** Not idempotent by `Idempotency-Key`: the answers hold secrets, and answers of idempotent routes are stored. */
export function keyRoutes({ keys, clock, createSecret, hashSecret }: KeyRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/v1/keys', { config: { scope: 'admin' }, schema: CREATE_KEY }, async (request, reply) => {
      const { name, scopes, expiresAt, allowedFrom = [] } = request.body
      const { tenant, keyId } = request.principal
      const expiresAtMs = expiresAt === undefined ? null : orThrow(readEnd(expiresAt, clock.now()))
      orThrow(checkRanges(allowedFrom))
      const secret = createSecret()
      const record = await keys.create({
        ...{ tenant, name, scopes: [...new Set(scopes)], secretHash: hashSecret(secret) },
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
      const secret = createSecret()
      const { graceMs = 0 } = request.body
      const record = orThrow(await keys.rotate(request.principal.tenant, request.params.id, hashSecret(secret), graceMs))
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

function checkRanges(ranges: readonly string[]): Outcome<null> {
  const errors = ranges.flatMap((range, at) => {
    if (isAddressRange(range)) return []
    const detail = `allowedFrom[${at}] must be an IP address or a network such as 10.0.0.0/8, was '${range}'`
    return [{ field: `allowedFrom[${at}]`, code: 'invalid_address_range', detail } as const]
  })
  return errors.length === 0 ? null : refuseFields('invalid_address_range', errors)
}

function keyJson(record: KeyRecord): Static<typeof ApiKeySchema> {
  const { id, name, scopes, createdBy, allowedFrom, isConfigured } = record
  const shown = (ms: InstantMs | null) => (ms === null ? null : instantJson(ms))
  return {
    ...{
      id,
      name,
      scopes: [...scopes],
      createdAt: instantJson(record.createdAtMs),
      createdBy,
      allowedFrom: [...allowedFrom],
      isConfigured,
    },
    ...{ expiresAt: shown(record.expiresAtMs), endedAt: shown(record.endedAtMs), lastUsedAt: shown(record.lastUsedAtMs) },
  }
}
