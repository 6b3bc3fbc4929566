import { type Static, type TSchema, Type } from 'typebox'
import { PRICE_TIERS_MAX, type Price } from '../../domain/catalog/price.ts'
import { DecimalInputSchema, DecimalSchema } from './common.ts'

/** The shape of a price in plans and `POST /v1/rate`. Signs, order of tiers and exactness are checked in rating. */
export const PriceInputSchema = priceSchema(DecimalInputSchema)

/** By charge, in place of the plan's. */
export const PriceOverridesInputSchema = overridesSchema(PriceInputSchema)

/** A price in answers: every number is a decimal string. */
export const PriceSchema = priceSchema(DecimalSchema)

export const PriceOverridesSchema = overridesSchema(PriceSchema)

export function priceJson(price: Price): Static<typeof PriceSchema> {
  return 'tiers' in price ? { ...price, tiers: price.tiers.map((tier) => ({ ...tier })) } : price
}

/** One step of rating: quantity x unitAmount / per + flatAmount = exact. */
export const RatedLineSchema = Type.Object({
  tier: Type.Optional(Type.Integer({ minimum: 1, description: 'Counts from 1' })),
  quantity: DecimalSchema,
  unitAmount: Type.Optional(DecimalSchema),
  flatAmount: Type.Optional(DecimalSchema),
  exact: DecimalSchema,
})

function overridesSchema<Price extends TSchema>(price: Price) {
  return Type.Record(Type.String({ minLength: 1, maxLength: 128 }), price, {
    description: 'Prices by charge, in place of the plan’s',
    examples: [{ calls: { model: 'flat', unitAmount: '0.04' } }],
  })
}

/** One branch per model, told apart by a constant, so that an error is reported for the model that was meant. */
function priceSchema<Decimal extends TSchema>(decimal: Decimal) {
  const closed = { additionalProperties: false }
  const per = Type.Optional(decimal)
  const flatAtZero = Type.Optional(Type.Boolean({ description: 'The flat amount is due at zero usage too' }))
  const tier = Type.Object(
    { upTo: Type.Union([decimal, Type.Null()]), unitAmount: Type.Optional(decimal), flatAmount: Type.Optional(decimal) },
    { ...closed, description: 'upTo is inclusive; null in the last tier' },
  )
  const tiers = Type.Array(tier, { description: `1 to ${PRICE_TIERS_MAX} tiers, ascending` })
  return Type.Union(
    [
      Type.Object({ model: Type.Literal('flat'), unitAmount: decimal, per }, { ...closed, title: 'Flat: so much a unit' }),
      Type.Object(
        { model: Type.Literal('package'), amount: decimal, packageSize: decimal, freeUnits: Type.Optional(decimal), flatAtZero },
        { ...closed, title: 'Package: so much for each package begun' },
      ),
      Type.Object({ model: Type.Literal('tiered'), per, tiers, flatAtZero }, { ...closed, title: 'Tiered: each tier prices its own part' }),
      Type.Object({ model: Type.Literal('volume'), per, tiers, flatAtZero }, { ...closed, title: 'Volume: the tier reached prices all' }),
      Type.Object(
        { model: Type.Literal('stairstep'), per, tiers, flatAtZero },
        { ...closed, title: 'Stairstep: one amount for the tier reached' },
      ),
    ],
    { examples: [{ model: 'flat', unitAmount: '2.50', per: '1000000' }] },
  )
}
