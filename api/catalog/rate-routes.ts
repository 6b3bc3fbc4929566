import { Type } from 'typebox'
import { parseQuantity } from '../../domain/decimal.ts'
import { formatMoney, minorUnitDigits } from '../../domain/money.ts'
import { formatRational, roundHalfUp } from '../../domain/rational.ts'
import { type Outcome, orThrow, refuseFields } from '../../domain/refusal.ts'
import { rate } from '../../rating/rate.ts'
import { validatePrice } from '../../rating/validate-price.ts'
import { DecimalInputSchema, DecimalSchema, type HttpApp, ProblemSchema } from '../../schemas/http/common.ts'
import { PriceInputSchema, RatedLineSchema } from '../../schemas/http/price.ts'

/** Tries a price on a quantity before it goes into a plan. Pure: reads and stores nothing. */
export function rateRoutes(): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/v1/rate', { schema: RATE_SCHEMA, config: { scope: 'read' } }, async ({ body }) => {
      const price = orThrow(validatePrice(body.price))
      const quantityNano = orThrow(billableQuantity(body.quantity))
      const fractionDigits = body.currency === undefined ? FRACTION_DIGITS_DEFAULT : orThrow(minorUnitDigits(body.currency))
      const { exact, lines } = rate(price, quantityNano)
      return { amount: formatMoney(roundHalfUp(exact, fractionDigits), fractionDigits), exact: formatRational(exact), lines: [...lines] }
    })
  }
}

const FRACTION_DIGITS_DEFAULT = 2

const RATE_SCHEMA = {
  tags: ['rating'],
  operationId: 'rate',
  summary: 'Rate a quantity under a price',
  description:
    'Calculates and stores nothing. The amount is rounded half up to the minor unit of the currency, to two digits without one; `exact` is what it was rounded from.',
  body: Type.Object({
    price: PriceInputSchema,
    quantity: DecimalInputSchema,
    currency: Type.Optional(Type.String({ maxLength: 16, description: 'ISO 4217', examples: ['USD'] })),
  }),
  response: {
    200: Type.Object({ amount: DecimalSchema, exact: DecimalSchema, lines: Type.Array(RatedLineSchema) }),
    '4xx': ProblemSchema,
  },
}

function billableQuantity(input: string | number): Outcome<bigint> {
  const nano = parseQuantity(input)
  if (nano !== null && nano >= 0n) return nano
  const detail = `quantity must be an exact decimal from 0 to below 10^20 with at most 9 fractional digits, was ${JSON.stringify(input)}`
  const code = nano === null ? 'not_exact_decimal' : 'negative'
  return refuseFields('invalid_quantity', [{ field: 'quantity', code, detail }])
}
