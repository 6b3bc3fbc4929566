import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { hasAppearedOnly, SUBSCRIPTIONS_MAX } from '../customers.ts'
import { derivedUuid } from '../derived-uuid.ts'
import { type OwnCustomer, type Tollgate, unlessRefused } from '../own-routes.ts'
import { createPageNumbers } from '../page-numbers.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { type Fields, fieldsOf, optionalText, textOf } from './fields.ts'
import { pageJson, pageOf } from './pages.ts'

/** Customers. One that is archived is gone for Kelviq's SDKs, and its id stays taken. */
export async function customerRoutes(app: HttpApp, { own }: VendorKit): Promise<void> {
  const pages = createPageNumbers()

  app.post('/customers/', { config: ANY_KEY }, async (request, reply) => {
    const fields = fieldsOf(request.body)
    const key = textOf(fields, 'customer_id')
    const tollgate = own(request)
    const known = await unlessRefused(tollgate.customer(key), 'unknown_customer')
    if (known !== null && !hasAppearedOnly(known)) return refuseInput('customer_id', `customer '${key}' exists already`)
    return reply.code(201).send(customerJson(request.principal.tenant, await tollgate.putCustomer(key, inputOf(fields, null))))
  })

  app.get('/customers/', { config: ANY_KEY }, async (request) => {
    const wanted = pageOf(fieldsOf(request.query))
    const { tenant } = request.principal
    const found = await pages.read(`${tenant} customers`, wanted, own(request).customers)
    return pageJson(request, wanted, { ...found, items: found.items.map((customer) => customerJson(tenant, customer)) })
  })

  app.get<Params>('/customers/:id/', { config: ANY_KEY }, async (request) =>
    customerJson(request.principal.tenant, await inUse(own(request), request.params.id)),
  )

  app.patch<Params>('/customers/:id/', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const known = await inUse(tollgate, request.params.id)
    return customerJson(request.principal.tenant, await tollgate.putCustomer(known.key, inputOf(fieldsOf(request.body), known)))
  })

  app.delete<Params>('/customers/:id/', { config: ANY_KEY }, async (request, reply) => {
    const tollgate = own(request)
    const { key } = await inUse(tollgate, request.params.id)
    const { data } = await tollgate.subscriptions({ customer: key, limit: SUBSCRIPTIONS_MAX })
    const running = data.find(({ status }) => status !== 'ended')
    if (running !== undefined)
      return refuseInput('customer_id', `customer '${key}' has the running subscription ${running.id}: cancel it first`)
    await tollgate.archiveCustomer(key)
    return reply.code(204).send()
  })
}

type Params = { Params: { readonly id: string } }

async function inUse(tollgate: Tollgate, key: string): Promise<OwnCustomer> {
  const customer = await tollgate.customer(key)
  if (customer.archivedAt !== null) throw new RefusalError(refuse('unknown_customer', { customer: key }))
  return customer
}

/** What is sent replaces; what is left out stays. */
function inputOf(fields: Fields, known: OwnCustomer | null) {
  const { key: _key, createdAt: _createdAt, updatedAt: _updatedAt, archivedAt: _archivedAt, ...kept } = known ?? NOBODY
  const { metadata = kept.metadata } = fields
  if (metadata !== null && (typeof metadata !== 'object' || Array.isArray(metadata))) {
    return refuseInput('metadata', 'metadata must be an object')
  }
  return {
    ...kept,
    name: optionalText(fields, 'name') ?? kept.name,
    email: optionalText(fields, 'email') ?? kept.email,
    metadata: (metadata ?? {}) as Record<string, unknown>,
  }
}

const NOBODY: OwnCustomer = { key: '', name: null, email: null, subjects: [], metadata: {}, createdAt: '', updatedAt: '', archivedAt: null }

function customerJson(tenant: string, { key, name, email, metadata, createdAt, updatedAt }: OwnCustomer) {
  return {
    id: derivedUuid(tenant, 'kelviq customer', key),
    customerId: key,
    name,
    email,
    details: {},
    metadata,
    createdOn: createdAt,
    modifiedOn: updatedAt,
  }
}
