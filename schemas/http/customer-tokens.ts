import { Type } from 'typebox'
import { TOKEN_SCOPES, type TokenScope } from '../../domain/principal.ts'
import { CLOSED, CustomerNameSchema, InstantSchema } from './common.ts'
import { OriginsSchema } from './tenant-settings.ts'

/** A token cannot be taken back by itself, so it does not live longer than a day's work. */
export const TOKEN_TTL_MS_MAX = 86_400_000
const TOKEN_TTL_MS_MIN = 1_000
export const TOKEN_TTL_MS_DEFAULT = 3_600_000

const TokenScopesSchema = Type.Array(Type.Enum([...TOKEN_SCOPES] as readonly TokenScope[]), {
  minItems: 1,
  maxItems: TOKEN_SCOPES.length,
  description:
    '`read`: balances, usage, invoices, plans. `decide`: decisions. `portal`: sessions of the portal. Each needs the same scope of the key, `portal` needs `manage`',
})

export const CustomerTokenInputSchema = Type.Object(
  {
    customer: CustomerNameSchema,
    scopes: TokenScopesSchema,
    ttlMs: Type.Optional(Type.Integer({ minimum: TOKEN_TTL_MS_MIN, maximum: TOKEN_TTL_MS_MAX, default: TOKEN_TTL_MS_DEFAULT })),
    origins: Type.Optional({ ...OriginsSchema, minItems: 1, description: 'Sites whose pages may use it; left out: all of the settings' }),
  },
  CLOSED,
)

export const CustomerTokenSchema = Type.Object({
  token: Type.String({ description: 'A JSON Web Signature (EdDSA); stored nowhere' }),
  customer: CustomerNameSchema,
  scopes: TokenScopesSchema,
  expiresAt: InstantSchema,
  origins: Type.Union([OriginsSchema, Type.Null()]),
})

export const TokensNotBeforeInputSchema = Type.Object(
  { notBefore: Type.Optional({ ...InstantSchema, description: 'Tokens made before are good no more; by default now' }) },
  CLOSED,
)
export const TokensNotBeforeSchema = Type.Object({ customer: CustomerNameSchema, notBefore: InstantSchema })
