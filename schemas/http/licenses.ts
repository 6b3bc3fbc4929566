import { Type } from 'typebox'
import { CLOSED, CustomerNameSchema, InstantSchema, KeySchema, ListQuerySchema, PageSchema } from './common.ts'
import { RECORD_TIMES } from './record-times.ts'
import { TermLengthSchema } from './selling-terms.ts'

const Count = (maximum: number, description: string) => Type.Union([Type.Integer({ minimum: 0, maximum }), Type.Null()], { description })
const ACTIVATIONS_MAX = 100_000

const POLICY = {
  prefix: Type.Optional(Type.String({ pattern: '^[A-Z0-9]{1,16}$', description: 'Stands before keys of blocks' })),
  format: Type.Optional(Type.Enum(['blocks', 'uuid'], { description: 'Blocks of five characters with a check (default), or a UUID' })),
  activationsMax: Type.Union([Type.Integer({ minimum: 1, maximum: ACTIVATIONS_MAX }), Type.Null()], {
    description: 'Instances that use one license at once; null is without end',
  }),
  perUnit: Type.Optional(
    Type.Enum(['keys', 'activations'], {
      description: 'A quantity gives so many keys (default), or one key for so many times the activations',
    }),
  ),
  validFor: Type.Optional(Type.Union([TermLengthSchema, Type.Null()], { description: 'From the issue on; for good when absent' })),
  withSubscription: Type.Optional(
    Type.Enum(['expire', 'keep'], { description: 'At the end of the subscription it expires (default), or stays' }),
  ),
  offlineDays: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 365, description: 'How long a token proves the license offline; 14 when absent, 0 gives none' }),
  ),
  leaseMinutes: Type.Optional(
    Type.Integer({ minimum: 10, maximum: 43_200, description: 'An activation not validated for so long is over' }),
  ),
  replacementsMax: Type.Optional(
    Count(ACTIVATIONS_MAX, 'New activations within 30 days beside `activationsMax`; the greater of 3 and that when absent'),
  ),
  requires: Type.Optional(Type.Object({ fingerprint: Type.Optional(Type.Boolean()), activation: Type.Optional(Type.Boolean()) }, CLOSED)),
}
export const LicensePolicyInputSchema = Type.Object(POLICY, CLOSED)
export const LicensePolicySchema = Type.Object({ key: KeySchema, ...POLICY, ...RECORD_TIMES })
export const LicensePolicyPageSchema = PageSchema(LicensePolicySchema)

const IdSchema = Type.String({ minLength: 1, maxLength: 64 })
export const LicenseParamsSchema = Type.Object({ id: IdSchema })
export const ActivationParamsSchema = Type.Object({ id: IdSchema, activation: IdSchema })
export const LicenseQuerySchema = Type.Object({
  ...ListQuerySchema.properties,
  customer: Type.Optional(CustomerNameSchema),
  policy: Type.Optional(KeySchema),
})
export const LicenseInputSchema = Type.Object({ customer: CustomerNameSchema, policy: KeySchema, product: KeySchema }, CLOSED)
export const ExtendInputSchema = Type.Object({ until: Type.Union([InstantSchema, Type.Null()], { description: 'Null: for good' }) }, CLOSED)

const STATUS = Type.Enum(['active', 'suspended', 'expired', 'revoked'])
export const LicenseSchema = Type.Object({
  id: Type.String(),
  customer: Type.String(),
  policy: Type.String(),
  product: Type.String(),
  status: STATUS,
  lastFour: Type.String({ description: 'Of the key' }),
  key: Type.Optional(Type.String({ description: 'Answered where the license is made or rotated, and never in a list' })),
  owner: Type.Union([Type.String(), Type.Null()], { description: 'The order or subscription that gave it; null for one made by hand' }),
  quantity: Type.Integer(),
  activationsMax: Type.Union([Type.Integer(), Type.Null()]),
  suspendedBy: Type.Array(Type.String()),
  issuedAt: InstantSchema,
  expiresAt: Type.Union([InstantSchema, Type.Null()]),
  revokedAt: Type.Union([InstantSchema, Type.Null()]),
})
export const LicensePageSchema = PageSchema(LicenseSchema)

export const ActivationSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  createdAt: InstantSchema,
  seenAt: InstantSchema,
  endedAt: Type.Union([InstantSchema, Type.Null()]),
})
export const ActivationPageSchema = PageSchema(ActivationSchema)

/** A license key as somebody typed it. */
const TypedKeySchema = Type.String({ minLength: 1, maxLength: 255 })
const FingerprintSchema = Type.String({ minLength: 1, maxLength: 255, description: 'What the machine calls itself; kept as its SHA-256' })
export const ActivateInputSchema = Type.Object(
  {
    key: TypedKeySchema,
    instance: Type.Object({ name: Type.String({ minLength: 1, maxLength: 128 }), fingerprint: Type.Optional(FingerprintSchema) }, CLOSED),
    metadata: Type.Optional(Type.Record(Type.String({ maxLength: 128 }), Type.Unknown(), { maxProperties: 20 })),
  },
  CLOSED,
)
export const ValidateInputSchema = Type.Object(
  {
    key: TypedKeySchema,
    activation: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    fingerprint: Type.Optional(FingerprintSchema),
  },
  CLOSED,
)
export const DeactivateInputSchema = Type.Object({ key: TypedKeySchema, activation: Type.String({ minLength: 1, maxLength: 64 }) }, CLOSED)

/** What the customer's machine may know of its license. */
const ShownLicenseSchema = Type.Object({
  id: Type.String(),
  product: Type.String(),
  policy: Type.String(),
  status: STATUS,
  quantity: Type.Integer(),
  expiresAt: Type.Union([InstantSchema, Type.Null()]),
})
const TokenSchema = Type.Union([Type.String(), Type.Null()], {
  description: 'Proves the license offline (JWS, EdDSA); null where the policy gives none',
})
export const ActivatedSchema = Type.Object({ activation: ActivationSchema, license: ShownLicenseSchema, token: TokenSchema })
export const ValidatedSchema = Type.Object({
  valid: Type.Boolean(),
  code: Type.String({
    description:
      'The first that holds of unknown_key, revoked, suspended, expired, unknown_activation, not_activated, fingerprint_mismatch, valid',
  }),
  license: Type.Optional(ShownLicenseSchema),
  token: Type.Optional(TokenSchema),
})
export const DeactivatedSchema = Type.Object({ deactivated: Type.Boolean({ description: 'False when it had ended before' }) })
export const JwksSchema = Type.Object({
  keys: Type.Array(
    Type.Object({
      kty: Type.Literal('OKP'),
      crv: Type.Literal('Ed25519'),
      alg: Type.Literal('EdDSA'),
      use: Type.Literal('sig'),
      kid: Type.String(),
      x: Type.String(),
    }),
  ),
})
