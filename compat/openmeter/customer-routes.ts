import { type Static, Type } from 'typebox'
import type { HttpApp } from '../../schemas/http/common.ts'
import { hasAppearedOnly, runningSubscription } from '../customers.ts'
import { type OwnCustomer, type OwnQuery, unlessRefused } from '../own-routes.ts'
import { createPageNumbers } from '../page-numbers.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { bodyOf, given, MetadataSchema, OptionalText } from './bodies.ts'
import { refuseConflict } from './conflict.ts'
import { cutPage, pageJson, pageOf, textOf } from './lists.ts'

/** Customers; `id` is the key. The subjects of one are what its events call it. */
export async function customerRoutes(app: HttpApp, { own }: VendorKit): Promise<void> {
  const pages = createPageNumbers()

  app.post('/api/v1/customers', { config: ANY_KEY }, async (request, reply) => {
    const input = bodyOf(request, CustomerInputSchema)
    const key = input.key ?? input.usageAttribution?.subjectKeys[0]
    if (key === undefined) return refuseInput('key', 'key or usageAttribution.subjectKeys must be given', 'missing')
    const tollgate = own(request)
    const known = await unlessRefused(tollgate.customer(key), 'unknown_customer')
    if (known !== null && !(known.key === key && hasAppearedOnly(known))) return refuseConflict('customer', key)
    return reply.code(201).send(customerJson(await tollgate.putCustomer(key, ownInput(key, input, null)), null))
  })

  app.get('/api/v1/customers', { config: ANY_KEY }, async (request) => {
    const wanted = pageOf(request.query)
    const tollgate = own(request)
    const filter = { key: textOf(request.query, 'key'), name: textOf(request.query, 'name'), subject: textOf(request.query, 'subject') }
    const searched = filter.key ?? filter.name
    if (searched === undefined && filter.subject === undefined) {
      const found = await pages.read(`${request.principal.tenant} customers`, wanted, tollgate.customers)
      return pageJson(wanted, { ...found, items: found.items.map((each) => customerJson(each, null)) })
    }
    const query: OwnQuery = { search: searched ?? filter.subject, limit: FOUND_MAX }
    const { data, nextCursor } = await tollgate.customers(query)
    if (nextCursor !== null) return refuseInput('key', `more than ${FOUND_MAX} customers match; narrow the filter`)
    const matching = data.filter((each) => matches(each, filter)).map((each) => customerJson(each, null))
    return cutPage(wanted, matching)
  })

  app.get<Params>('/api/v1/customers/:id', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const customer = await tollgate.customer(request.params.id)
    return customerJson(customer, await runningSubscription(tollgate, customer.key))
  })

  app.put<Params>('/api/v1/customers/:id', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const known = await tollgate.customer(request.params.id)
    const input = bodyOf(request, CustomerInputSchema)
    if (input.key !== undefined && input.key !== known.key) return refuseInput('key', `the key of customer ${known.key} stays`)
    return customerJson(await tollgate.putCustomer(known.key, ownInput(known.key, input, known)), null)
  })

  app.delete<Params>('/api/v1/customers/:id', { config: ANY_KEY }, async (request, reply) => {
    const tollgate = own(request)
    const { key } = await tollgate.customer(request.params.id)
    const running = await runningSubscription(tollgate, key)
    if (running !== null) return refuseConflict('subscription', running.id)
    await tollgate.archiveCustomer(key)
    return reply.code(204).send()
  })
}

type Params = { Params: { readonly id: string } }
const FOUND_MAX = 1_000

const CustomerInputSchema = Type.Object({
  key: Type.Optional(Type.String()),
  name: Type.String(),
  usageAttribution: Type.Optional(Type.Object({ subjectKeys: Type.Array(Type.String()) })),
  primaryEmail: OptionalText,
  currency: OptionalText,
  metadata: MetadataSchema,
})

/** What a vendor's customer does not know of stays. */
function ownInput(key: string, input: Static<typeof CustomerInputSchema>, known: OwnCustomer | null) {
  const { key: _key, createdAt: _created, updatedAt: _updated, archivedAt: _archived, ...kept } = known ?? NOBODY
  const { name, primaryEmail, currency, metadata, usageAttribution } = input
  return {
    ...kept,
    ...{ name, email: primaryEmail ?? null, metadata: metadata ?? {} },
    ...given({ currency }),
    subjects: (usageAttribution?.subjectKeys ?? []).filter((subject) => subject !== key),
  }
}

const NOBODY = { key: '', createdAt: '', updatedAt: '', archivedAt: null }

function matches({ key, name, subjects }: OwnCustomer, filter: { readonly [Field in 'key' | 'name' | 'subject']: string | undefined }) {
  const has = (text: string | null, part: string | undefined) =>
    part === undefined || (text ?? '').toLowerCase().includes(part.toLowerCase())
  return (
    has(key, filter.key) &&
    has(name, filter.name) &&
    (filter.subject === undefined || [key, ...subjects].some((each) => has(each, filter.subject)))
  )
}

function customerJson(customer: OwnCustomer, running: { readonly id: string } | null) {
  const { key, name, email, subjects, metadata, currency, createdAt, updatedAt } = customer
  return {
    ...{ id: key, key, name: name ?? key, usageAttribution: { subjectKeys: subjects.length === 0 ? [key] : subjects } },
    ...given({ primaryEmail: email, currency }),
    ...{ metadata, createdAt, updatedAt },
    ...(running === null ? {} : { currentSubscriptionId: running.id }),
  }
}
