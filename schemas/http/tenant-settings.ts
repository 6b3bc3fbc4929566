import { Type } from 'typebox'
import { CLOSED } from './common.ts'

export const ORIGINS_MAX = 50

export const OriginsSchema = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
  maxItems: ORIGINS_MAX,
  description: 'Sites as browsers name them: scheme, host, and a port that is not the ordinary one',
  examples: [['https://app.example.com']],
})

const ReturnUrlsSchema = Type.Array(Type.String({ minLength: 1, maxLength: 2_048, pattern: '^https?://' }), {
  maxItems: 50,
  description: 'Addresses to which a checkout by a publishable key may lead: equal, or below one that ends in a slash',
  examples: [['https://shop.example.com/']],
})

export const TenantSettingsInputSchema = Type.Object(
  {
    origins: Type.Optional({ ...OriginsSchema, description: 'Sites whose pages may call with a publishable key or a customer token' }),
    returnUrls: Type.Optional(ReturnUrlsSchema),
  },
  CLOSED,
)
export const TenantSettingsSchema = Type.Object({ origins: OriginsSchema, returnUrls: ReturnUrlsSchema })
