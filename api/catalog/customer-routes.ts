import type { Static } from 'typebox'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { TaxRateStore } from '../../adapters/database/tax-rates/tax-rate-store.ts'
import { currencyOf } from '../../domain/billing/money.ts'
import { CATALOG_BOUNDS } from '../../domain/catalog/catalog-bounds.ts'
import type { Customer, CustomerRecord } from '../../domain/catalog/customer.ts'
import type { CustomerKey, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseField } from '../../domain/refusal.ts'
import {
  CustomerInputSchema,
  CustomerParamsSchema,
  CustomerQuerySchema,
  CustomerSchema,
  METADATA_FILTER,
  REFUSALS,
} from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { archivableTimesJson } from '../../schemas/http/record-times.ts'
import { archiveRoutes } from './archive-routes.ts'
import { knownZone } from './subscription-terms.ts'
import { unknownTaxRates } from './unknown-tax-rates.ts'

export type CustomerRoutesDeps = {
  readonly customers: Pick<CustomerStore, 'put' | 'get' | 'list' | 'archive'>
  readonly taxRates: Pick<TaxRateStore, 'get'>
  /** Awaited when a customer has new subjects, which may have adopted others. */
  readonly onSubjectsPut: (tenant: TenantKey, customer: CustomerKey) => Promise<void>
}

/** As JSON text. */
const METADATA_CHARACTERS_MAX = CATALOG_BOUNDS.metadata.most

export function customerRoutes({ customers, taxRates, onSubjectsPut }: CustomerRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/customers/:key', { config: { scope: 'manage' }, schema: PUT_CUSTOMER }, async (request, reply) => {
      const customer = orThrow(await readCustomer(taxRates, request.principal.tenant, request.params.key as CustomerKey, request.body))
      const { value, result } = orThrow(await customers.put(request.principal.tenant, customer))
      if (customer.subjects.length > 0 && result !== 'same') await onSubjectsPut(request.principal.tenant, customer.key)
      return reply.code(result === 'created' ? 201 : 200).send(customerJson(value))
    })
    app.get('/v1/customers/:key', { config: { scope: 'read' }, schema: GET_CUSTOMER }, async (request) => {
      const key = request.params.key as CustomerKey
      return customerJson(orThrow((await customers.get(request.principal.tenant, key)) ?? unknownCustomer(key)))
    })
    app.get('/v1/customers', { config: { scope: 'read' }, schema: LIST_CUSTOMERS }, async (request) => {
      const { limit = LIMIT_DEFAULT, cursor, count, archived = 'false', search, name, email, sort, ...rest } = request.query
      const page = { limit, ...(cursor !== undefined && { cursor }), ...(count !== undefined && { count }) }
      const filter = { archived, search, name, email, sort, metadata: metadataFilter(rest) }
      const { data, ...found } = await customers.list(request.principal.tenant, page, filter)
      return { ...found, data: data.map(customerJson) }
    })
    archiveRoutes(app, {
      ...{ collection: 'customers', name: 'Customer', scope: 'manage', params: CustomerParamsSchema, answer: CustomerSchema },
      ...{ store: customers, json: customerJson, unknown: unknownCustomer },
    })
  }
}

function unknownCustomer(key: string) {
  return refuse('unknown_customer', { customer: key })
}

/** `metadata[plan]=pro`, as the schema lets through. */
function metadataFilter(query: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(query).flatMap(([parameter, value]) => {
      const property = METADATA_FILTER.exec(parameter)?.[1]
      return property === undefined ? [] : [[property, String(value)]]
    }),
  )
}

/** The customer, or what is wrong with it. */
export async function readCustomer(
  taxRates: CustomerRoutesDeps['taxRates'],
  tenant: TenantKey,
  key: CustomerKey,
  input: Static<typeof CustomerInputSchema>,
): Promise<Outcome<Customer>> {
  const { name = null, email = null, subjects = [], metadata = {}, ...billing } = input
  const characters = JSON.stringify(metadata).length
  if (characters > METADATA_CHARACTERS_MAX) {
    return refuseField('metadata', refuse('metadata_too_large', { characters, charactersMax: METADATA_CHARACTERS_MAX }))
  }
  const currency = billing.currency === undefined ? null : currencyOf(billing.currency)
  if (isRefusal(currency)) return refuseField('currency', currency)
  const zone = billing.timezone === undefined ? null : knownZone(billing.timezone)
  if (isRefusal(zone)) return zone
  const [unknown] = await unknownTaxRates(taxRates, tenant, billing.taxRates ?? [], 'taxRates')
  if (unknown !== undefined) return refuseField(unknown.field, unknown.refusal)
  return { key, name, email, subjects: [...new Set(subjects)], metadata, ...billing }
}

const LIMIT_DEFAULT = 100

const TAGS = { tags: ['customers'] }

const PUT_CUSTOMER = {
  ...TAGS,
  operationId: 'putCustomer',
  summary: 'Make or change a customer',
  description:
    'Absent fields are emptied. An event belongs to whoever had its name at the time of the event: a subject is the customer’s from when another lost it, otherwise from the beginning. ' +
    'A subject that is the key of a customer which has only appeared by itself adopts it.',
  params: CustomerParamsSchema,
  body: CustomerInputSchema,
  response: { 200: CustomerSchema, 201: CustomerSchema, ...REFUSALS },
}
const GET_CUSTOMER = {
  ...TAGS,
  operationId: 'getCustomer',
  summary: 'A customer',
  params: CustomerParamsSchema,
  response: { 200: CustomerSchema, ...REFUSALS },
}
const LIST_CUSTOMERS = {
  ...TAGS,
  operationId: 'listCustomers',
  summary: 'Customers, newest first',
  querystring: CustomerQuerySchema,
  response: { 200: PageSchema(CustomerSchema), ...REFUSALS },
}

export function customerJson(record: CustomerRecord): Static<typeof CustomerSchema> {
  const { subjects, metadata, taxRates, createdMs, updatedMs, archivedMs, ...customer } = record
  const rates = taxRates === undefined ? {} : { taxRates: [...taxRates] }
  return {
    ...customer,
    ...rates,
    subjects: [...subjects],
    metadata: { ...metadata },
    ...archivableTimesJson({ createdMs, updatedMs, archivedMs }),
  }
}
