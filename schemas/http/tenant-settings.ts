import { Type } from 'typebox'
import { CLOSED } from './common.ts'

export const ORIGINS_MAX = 50

export const OriginsSchema = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
  maxItems: ORIGINS_MAX,
  description: 'Sites as browsers name them: scheme, host, and a port that is not the ordinary one',
  examples: [['https://app.example.com']],
})

export const TenantSettingsInputSchema = Type.Object(
  { origins: Type.Optional({ ...OriginsSchema, description: 'Sites whose pages may call with a publishable key or a customer token' }) },
  CLOSED,
)
export const TenantSettingsSchema = Type.Object({ origins: OriginsSchema })
