import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import type { OwnCustomer, Tollgate } from '../own-routes.ts'
import { ANY_KEY, CREATES, type VendorKit } from '../vendor.ts'
import { type Form, mergedMetadata, queryForm, textIn } from './forms.ts'
import { idLike } from './ids.ts'
import { listJson, secondsOf } from './lists.ts'

/** Customers; one that Stripe's shape made has an id as Stripe gives it. */
export async function customerRoutes(app: HttpApp, { own, createId }: VendorKit): Promise<void> {
  app.post('/v1/customers', { config: CREATES }, async (request) => {
    const form = (request.body ?? {}) as Form
    return customerJson(await own(request).putCustomer(idLike('cus', createId()), changesOf(form, null)))
  })

  app.get('/v1/customers', { config: ANY_KEY }, async (request) => {
    const form = queryForm(request.query)
    const email = textIn(form, 'email')
    const { data } = await own(request).customers({ limit: CUSTOMERS_MAX, ...(email === undefined ? {} : { email }) })
    return listJson('/v1/customers', form, data.map(customerJson))
  })

  app.get<Params>('/v1/customers/:id', { config: ANY_KEY }, async (request) => customerJson(await inUse(own(request), request.params.id)))

  app.post<Params>('/v1/customers/:id', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const known = await inUse(tollgate, request.params.id)
    return customerJson(await tollgate.putCustomer(known.key, changesOf((request.body ?? {}) as Form, known)))
  })

  app.delete<Params>('/v1/customers/:id', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const { key } = await inUse(tollgate, request.params.id)
    await tollgate.archiveCustomer(key)
    return { id: key, object: 'customer', deleted: true }
  })
}

type Params = { Params: { readonly id: string } }
/** The newest; a client that reads on behind them is refused. */
const CUSTOMERS_MAX = 1_000

async function inUse(tollgate: Tollgate, key: string): Promise<OwnCustomer> {
  const customer = await tollgate.customer(key)
  if (customer.archivedAt !== null) throw new RefusalError(refuse('unknown_customer', { customer: key }))
  return customer
}

/** Empty text unsets; what is left out stays. */
function changesOf(form: Form, known: OwnCustomer | null) {
  const { key: _key, createdAt: _created, updatedAt: _updated, archivedAt: _archived, ...kept } = known ?? NOBODY
  const changed = (name: 'name' | 'email') => (form[name] === undefined ? kept[name] : (textIn(form, name) ?? null))
  return { ...kept, name: changed('name'), email: changed('email'), metadata: mergedMetadata(kept.metadata, form) }
}

const NOBODY: OwnCustomer = { key: '', name: null, email: null, subjects: [], metadata: {}, createdAt: '', updatedAt: '', archivedAt: null }

function customerJson({ key, name, email, metadata, createdAt }: OwnCustomer) {
  return {
    ...{ id: key, object: 'customer', created: secondsOf(createdAt), name, email, description: null, metadata, balance: 0, currency: null },
    ...{ default_source: null, delinquent: false, shipping: null, livemode: false },
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
  }
}
