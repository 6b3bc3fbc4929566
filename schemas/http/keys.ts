import { Type } from 'typebox'
import { SCOPES, type Scope } from '../../domain/principal.ts'
import { CLOSED, InstantSchema } from './common.ts'

const ScopeSchema = Type.Enum([...SCOPES] as readonly Scope[])

const AddressRangesSchema = Type.Array(Type.String({ maxLength: 64 }), {
  maxItems: 50,
  description: 'IP addresses and CIDR ranges that it may be used from; none: from anywhere',
  examples: [['203.0.113.7', '10.0.0.0/8']],
})

export const ApiKeyInputSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    scopes: Type.Array(ScopeSchema, { minItems: 1, maxItems: SCOPES.length, description: 'admin includes the others' }),
    expiresAt: Type.Optional({ ...InstantSchema, description: 'From then on it is refused; left out: it does not end by itself' }),
    allowedFrom: Type.Optional(AddressRangesSchema),
  },
  CLOSED,
)

export const ApiKeySchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  scopes: Type.Array(ScopeSchema),
  createdAt: InstantSchema,
  createdBy: Type.Union([Type.String(), Type.Null()], { description: 'Id of the key that made it; null: the setting or the command line' }),
  expiresAt: Type.Union([InstantSchema, Type.Null()]),
  endedAt: Type.Union([InstantSchema, Type.Null()]),
  lastUsedAt: Type.Union([InstantSchema, Type.Null()], { description: 'To within a minute' }),
  allowedFrom: AddressRangesSchema,
  isConfigured: Type.Boolean({ description: 'True for the key of the setting TOLLGATE_ADMIN_KEY' }),
})

export const NewApiKeySchema = Type.Object({
  ...ApiKeySchema.properties,
  key: Type.String({ description: 'The secret, shown this once: only its hash is kept' }),
})

/** Long enough for a deployment of every process that has the secret before. */
export const ROTATION_GRACE_MS_MAX = 30 * 24 * 3_600_000

export const RotationSchema = Type.Object(
  {
    graceMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: ROTATION_GRACE_MS_MAX,
        default: 0,
        description: 'How long the secret until now stays good beside the new one',
      }),
    ),
  },
  CLOSED,
)
