import { Type } from 'typebox'
import { DecimalInputSchema, DecimalSchema, KeySchema } from './common.ts'
import { RECORD_TIMES } from './record-times.ts'

export const TaxRateInputSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200, description: 'As it stands on documents' }),
    percent: { ...DecimalInputSchema, description: '0 to 100, with at most 9 fractional digits' },
    inclusive: Type.Optional(Type.Boolean({ default: false, description: 'Prices include the tax already' })),
  },
  { additionalProperties: false },
)

export const TaxRateSchema = Type.Object({
  key: KeySchema,
  name: Type.String(),
  percent: DecimalSchema,
  inclusive: Type.Boolean(),
  ...RECORD_TIMES,
})
