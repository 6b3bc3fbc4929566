import { Type } from 'typebox'
import { KEY_KINDS, type KeyKind, SCOPES, type Scope } from '../../domain/principal.ts'
import { CLOSED, InstantSchema } from './common.ts'

const ScopeSchema = Type.Enum([...SCOPES] as readonly Scope[])

const AddressRangesSchema = Type.Array(Type.String({ maxLength: 64 }), {
  maxItems: 50,
  description: 'IP addresses and CIDR ranges that it may be used from; none: from anywhere',
  examples: [['203.0.113.7', '10.0.0.0/8']],
})

const KindSchema = Type.Enum([...KEY_KINDS] as readonly KeyKind[], {
  description: 'A publishable key has scope `public` alone and may stand in a page; a secret key stays on servers',
})

const NARROWED_MAX = 1_000
const narrowed = (characters: number) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: characters }), { minItems: 1, maxItems: NARROWED_MAX }))

const NarrowingSchema = Type.Object(
  { customers: narrowed(255), eventTypes: narrowed(128), features: narrowed(128) },
  {
    ...CLOSED,
    description:
      'What the key is for alone. With `customers` every request must be about some of them. With `eventTypes` or `features` every request must name one of these: event types for events, features for everything else. Other routes are refused',
    examples: [{ eventTypes: ['llm.request'] }],
  },
)

export const ApiKeyInputSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    scopes: Type.Array(ScopeSchema, { minItems: 1, maxItems: SCOPES.length, description: 'admin includes the others' }),
    kind: Type.Optional({ ...KindSchema, default: 'secret' }),
    only: Type.Optional(NarrowingSchema),
    expiresAt: Type.Optional({ ...InstantSchema, description: 'From then on it is refused; left out: it does not end by itself' }),
    allowedFrom: Type.Optional(AddressRangesSchema),
  },
  CLOSED,
)

export const ApiKeySchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  kind: KindSchema,
  scopes: Type.Array(ScopeSchema),
  only: Type.Union([NarrowingSchema, Type.Null()]),
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
