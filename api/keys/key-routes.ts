import type { Static } from 'typebox'
import { Type } from 'typebox'
import type { ApiKeyStore, KeyRecord } from '../../adapters/database/keys/api-key-store.ts'
import { ApiKeyInputSchema, ApiKeySchema, NewApiKeySchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'

export type KeyRoutesDeps = {
  readonly keys: Pick<ApiKeyStore, 'create' | 'list'>
  /** `tg_sk_`, 256 random bits and a checksum. */
  readonly createSecret: () => string
  /** As the keys of requests are hashed. */
  readonly hashSecret: (secret: string) => string
}

/** Not idempotent by `Idempotency-Key`: the answer holds the secret, and answers of idempotent routes are stored. */
export function keyRoutes({ keys, createSecret, hashSecret }: KeyRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/v1/keys', { config: { scope: 'admin' }, schema: CREATE_KEY }, async (request, reply) => {
      const { name, scopes } = request.body
      const secret = createSecret()
      const record = await keys.create({
        tenant: request.principal.tenant,
        name,
        scopes: [...new Set(scopes)],
        secretHash: hashSecret(secret),
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
  }
}

const TAGS = { tags: ['keys'] }

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
  summary: 'API keys of this tenant, without their secrets',
  querystring: Type.Object({}),
  response: { 200: PageSchema(ApiKeySchema), ...REFUSALS },
}

function keyJson({ id, name, scopes, createdAtMs }: KeyRecord): Static<typeof ApiKeySchema> {
  return { id, name, scopes: [...scopes], createdAt: new Date(createdAtMs).toISOString() }
}
