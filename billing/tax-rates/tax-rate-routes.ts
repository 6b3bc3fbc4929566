import type { Static } from 'typebox'
import type { TaxRateRecord, TaxRateStore } from '../../adapters/database/tax-rates/tax-rate-store.ts'
import type { TaxRate } from '../../domain/billing/tax-rate.ts'
import { formatQuantity, NANO, parseQuantity } from '../../domain/decimal.ts'
import { type Outcome, orThrow, refuse, refuseFields } from '../../domain/refusal.ts'
import { KeyParamsSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { CountedQuerySchema, recordTimesJson } from '../../schemas/http/record-times.ts'
import { TaxRateInputSchema, TaxRateSchema } from '../../schemas/http/tax-rates.ts'

export function taxRateRoutes({ taxRates }: { readonly taxRates: TaxRateStore }): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/tax-rates/:key', { config: { scope: 'admin' }, schema: PUT_TAX_RATE }, async (request, reply) => {
      const rate = orThrow(validateTaxRate(request.params.key, request.body))
      const { value, result } = await taxRates.put(request.principal.tenant, rate)
      return reply.code(result === 'created' ? 201 : 200).send(taxRateJson(value))
    })
    app.get('/v1/tax-rates/:key', { config: { scope: 'read' }, schema: GET_TAX_RATE }, async (request) => {
      const { key } = request.params
      return taxRateJson(orThrow((await taxRates.get(request.principal.tenant, key)) ?? refuse('unknown_tax_rate', { taxRate: key })))
    })
    app.get('/v1/tax-rates', { config: { scope: 'read' }, schema: LIST_TAX_RATES }, async (request) => {
      const { limit = LIMIT_DEFAULT, ...rest } = request.query
      const { data, ...page } = await taxRates.list(request.principal.tenant, { limit, ...rest })
      return { ...page, data: data.map(taxRateJson) }
    })
  }
}

const LIMIT_DEFAULT = 100
const HUNDRED_NANO = 100n * NANO

function validateTaxRate(key: string, { name, percent, inclusive = false }: Static<typeof TaxRateInputSchema>): Outcome<TaxRate> {
  const percentNano = parseQuantity(percent)
  if (percentNano === null || percentNano < 0n || percentNano > HUNDRED_NANO) {
    const detail = `percent must be 0 to 100 with at most 9 fractional digits, was ${percent}`
    return refuseFields('invalid_percent', [{ field: 'percent', code: 'invalid_percent', detail }])
  }
  return { key, name, percentNano, isInclusive: inclusive }
}

function taxRateJson({ key, name, percentNano, isInclusive, ...times }: TaxRateRecord): Static<typeof TaxRateSchema> {
  return { key, name, percent: formatQuantity(percentNano), inclusive: isInclusive, ...recordTimesJson(times) }
}

const TAGS = { tags: ['tax rates'] }

const PUT_TAX_RATE = {
  ...TAGS,
  operationId: 'putTaxRate',
  summary: 'Create or change a tax rate; documents keep the rate that they were billed with',
  params: KeyParamsSchema,
  body: TaxRateInputSchema,
  response: { 200: TaxRateSchema, 201: TaxRateSchema, ...REFUSALS },
}
const GET_TAX_RATE = {
  ...TAGS,
  operationId: 'getTaxRate',
  summary: 'A tax rate',
  params: KeyParamsSchema,
  response: { 200: TaxRateSchema, ...REFUSALS },
}
const LIST_TAX_RATES = {
  ...TAGS,
  operationId: 'listTaxRates',
  summary: 'Tax rates in the order of their keys',
  querystring: CountedQuerySchema,
  response: { 200: PageSchema(TaxRateSchema), ...REFUSALS },
}
