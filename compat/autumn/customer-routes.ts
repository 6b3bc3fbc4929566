import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { SUBSCRIPTIONS_MAX } from '../customers.ts'
import { instantMsOf } from '../instant-ms.ts'
import { type OwnCustomer, unlessRefused } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { attach } from './attach.ts'
import { bodyOf, OptionalText, Properties } from './bodies.ts'
import { planJson } from './plans.ts'
import { balanceJson, featureJson, flagJson, runningPlans } from './shapes.ts'
import { cancellations, subscriptionRows } from './subscriptions.ts'

/** Customers with all that they have. */
export async function customerRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own, createId } = kit

  const inUse = async (request: FastifyRequest, key: string): Promise<OwnCustomer> => {
    const customer = await own(request).customer(key)
    if (customer.archivedAt !== null) throw new RefusalError(refuse('unknown_customer', { customer: key }))
    return customer
  }

  const customerJson = async (request: FastifyRequest, customer: OwnCustomer, expand: readonly string[] = []) => {
    const tollgate = own(request)
    const { key, name, email, metadata, createdAt } = customer
    const [{ data: balances }, { data: subscriptions }] = await Promise.all([
      tollgate.balances(key),
      tollgate.subscriptions({ customer: key, limit: SUBSCRIPTIONS_MAX }),
    ])
    const plans = await runningPlans(tollgate, subscriptions)
    const wantsFeatures = expand.includes('balances.feature') || expand.includes('flags.feature')
    const features = new Map(wantsFeatures ? (await tollgate.features({ limit: LIST_MAX })).data.map((each) => [each.key, each]) : [])
    const featureOf = (feature: string, what: string) => {
      const known = expand.includes(what) ? features.get(feature) : undefined
      return known === undefined ? {} : { feature: featureJson(known, undefined) }
    }
    const rows = await subscriptionRows(kit, request, subscriptions)
    const types = expand.includes('subscriptions.plan') ? (await tollgate.features({ limit: LIST_MAX })).data : []
    return {
      ...{ id: key, name, email, created_at: instantMsOf(createdAt), fingerprint: null, stripe_id: null, env: 'live', metadata },
      ...{ send_email_receipts: false, billing_controls: {}, purchases: [], licenses: [] },
      subscriptions: await Promise.all(
        rows.map(async (row) =>
          expand.includes('subscriptions.plan') ? { ...row, plan: planJson(await tollgate.plan(row.plan_id), types, '') } : row,
        ),
      ),
      balances: Object.fromEntries(
        balances
          .filter(({ type }) => type === 'metered')
          .map((balance) => [balance.feature, { ...balanceJson(balance), ...featureOf(balance.feature, 'balances.feature') }]),
      ),
      flags: Object.fromEntries(
        balances
          .filter(({ type, hasAccess }) => type === 'boolean' && hasAccess)
          .map(({ feature }) => [feature, { ...flagJson(feature, plans), ...featureOf(feature, 'flags.feature') }]),
      ),
    }
  }

  app.post('/customers.get_or_create', { config: ANY_KEY }, async (request) => {
    const body = bodyOf(request, GetOrCreateSchema)
    const key = body.customer_id ?? createId()
    const tollgate = own(request)
    const known = await unlessRefused(tollgate.customer(key), 'unknown_customer')
    if (known !== null) {
      if (known.archivedAt !== null) return refuseInput('customer_id', `customer '${key}' was deleted, and its id stays taken`)
      return await customerJson(request, known, body.expand)
    }
    const { name, email, metadata, currency } = body
    const made = await tollgate.putCustomer(key, {
      ...{ name: name ?? null, email: email ?? null, metadata: metadata ?? {} },
      ...(currency == null ? {} : { currency: currency.toUpperCase() }),
    })
    if (body.auto_enable_plan_id != null) await attach(kit, request, { customer: key, plan: body.auto_enable_plan_id })
    return await customerJson(request, made, body.expand)
  })

  app.post('/customers.get', { config: ANY_KEY }, async (request) => {
    const { customer_id: key, expand } = bodyOf(request, GetSchema)
    return await customerJson(request, await inUse(request, key), expand)
  })

  app.post('/customers.update', { config: ANY_KEY }, async (request) => {
    const { customer_id: key, name, email, metadata } = bodyOf(request, UpdateSchema)
    const { key: _key, createdAt: _created, updatedAt: _updated, archivedAt: _archived, ...known } = await inUse(request, key)
    const changed = await own(request).putCustomer(key, {
      ...known,
      ...(name === undefined ? {} : { name }),
      ...(email === undefined ? {} : { email }),
      ...(metadata == null ? {} : { metadata: { ...known.metadata, ...metadata } }),
    })
    return await customerJson(request, changed)
  })

  app.post('/customers.list', { config: ANY_KEY }, async (request) => {
    const { start_cursor: cursor, limit = PAGE.usual, search } = bodyOf(request, ListSchema)
    const query = { ...(cursor == null || cursor === '' ? {} : { cursor }), ...(search == null || search === '' ? {} : { search }) }
    const { data, nextCursor } = await own(request).customers({ ...query, limit })
    const list = []
    for (const customer of data) list.push(await customerJson(request, customer))
    return { list, next_cursor: nextCursor }
  })

  app.post('/customers.delete', { config: ANY_KEY }, async (request) => {
    const { customer_id: key } = bodyOf(request, GetSchema)
    await inUse(request, key)
    const tollgate = own(request)
    const { data } = await tollgate.subscriptions({ customer: key, limit: SUBSCRIPTIONS_MAX })
    for (const { id } of data.filter(({ status }) => status !== 'ended')) {
      await tollgate.cancelSubscription(id, { at: 'now' })
      await cancellations(kit).put(request.principal.tenant, id, { atMs: kit.clock.now() })
    }
    await tollgate.archiveCustomer(key)
    return { success: true }
  })
}

const LIST_MAX = 1_000
const PAGE = { usual: 50, most: 100 }

const Expand = Type.Optional(Type.Array(Type.String(), { maxItems: 20 }))
const PARTS = { name: OptionalText, email: OptionalText, metadata: Properties }
const GetOrCreateSchema = Type.Object({
  customer_id: OptionalText,
  ...PARTS,
  currency: OptionalText,
  auto_enable_plan_id: OptionalText,
  expand: Expand,
})
const GetSchema = Type.Object({ customer_id: Type.String(), expand: Expand })
const UpdateSchema = Type.Object({ customer_id: Type.String(), ...PARTS })
const ListSchema = Type.Object({
  start_cursor: OptionalText,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE.most })),
  search: OptionalText,
})
