import { type Static, Type } from 'typebox'
import type { Balance } from '../../schemas/http/balance.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import type { OwnFeature, Tollgate } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { bodyOf, OptionalText, Properties } from './bodies.ts'
import { idOf } from './check-routes.ts'
import { balanceJson } from './shapes.ts'

/** Usage, of a feature or by the name of an event that several features read. The balance in the answer is the one after. */
export async function trackRoutes(app: HttpApp, { own, waits, createId }: VendorKit): Promise<void> {
  app.post('/balances.track', { config: ANY_KEY }, async (request, reply) => {
    const body = bodyOf(request, TrackSchema)
    const { customer_id, event_name: eventName, feature_id: feature, value = 1 } = body
    const tollgate = own(request)
    const counted = await count(tollgate, body, idOf(request.headers['idempotency-key']) ?? createId())
    if (body.async === true) return reply.code(202).send({ customer_id, value, balance: null })
    await waits.counted(SEEN_WITHIN_MS)
    if (eventName != null) {
      const balances = await balancesOf(tollgate, customer_id, await readersOf(tollgate, eventName))
      return { customer_id, value, event_name: eventName, balance: null, balances }
    }
    if (counted !== null) return { customer_id, value, balance: balanceJson(counted) }
    const balance = await tollgate.balance(customer_id, String(feature))
    return { customer_id, value, balance: isEntitled(balance) ? balanceJson(balance) : null }
  })

  app.post('/balances.batch_track', { config: ANY_KEY }, async (request, reply) => {
    const all = bodyOf(request, Type.Array(TrackSchema, { minItems: 1, maxItems: BATCH_MAX }))
    const tollgate = own(request)
    // All are looked up before the first is counted.
    for (const each of all) refuseAmbiguous(each)
    for (const customer of new Set(all.map(({ customer_id }) => customer_id))) await tollgate.customer(customer)
    for (const feature of new Set(all.flatMap(({ feature_id }) => feature_id ?? []))) await tollgate.feature(feature)
    const id = idOf(request.headers['idempotency-key']) ?? createId()
    for (let from = 0; from < all.length; from += AT_ONCE) {
      const some = all.slice(from, from + AT_ONCE)
      await Promise.all(some.map((each, index) => count(tollgate, each, `${id}-${from + index}`)))
    }
    return reply.code(202).send({ success: true })
  })
}

/** Makes it durable. Answers with the balance after, where the report itself says it. */
async function count(tollgate: Tollgate, body: Track, id: string): Promise<Balance | null> {
  const { customer_id: customer, event_name: eventName, value = 1, properties, timestamp } = body
  refuseAmbiguous(body)
  const time = timestamp === undefined ? {} : { time: new Date(timestamp).toISOString() }
  if (eventName != null) {
    await tollgate.customer(customer)
    await tollgate.ingest([{ id, source: SOURCE, type: eventName, customer, ...time, data: { ...properties, value } }])
    return null
  }
  const feature = String(body.feature_id)
  const report = {
    customer,
    feature,
    quantity: value,
    id,
    behaviour: 'delta' as const,
    ...(properties == null ? {} : { data: properties }),
  }
  const before = await tollgate.balance(customer, feature)
  const isCapped = body.overage_behavior !== 'overflow' && value > 0 && before.limitType === 'hard' && isEntitled(before)
  // What fits is taken from what is left now, so a time does not go with it.
  const reported = await tollgate.reportUsage(isCapped ? { ...report, upTo: 'limit' } : { ...report, ...time })
  return reported.balance ?? null
}

function refuseAmbiguous({ feature_id: feature, event_name: eventName }: Track): void {
  if ((feature == null) === (eventName == null)) refuseInput('feature_id', 'send either feature_id or event_name')
}

/** A feature that nothing gives to the customer has a balance without sources. */
function isEntitled({ type, sources }: Balance): boolean {
  return type === 'metered' && sources !== undefined
}

const SOURCE = 'autumn'
const SEEN_WITHIN_MS = 1_000
const BATCH_MAX = 1_000
/** Reports of a batch that are made durable together. */
const AT_ONCE = 50

const TrackSchema = Type.Object({
  customer_id: Type.String(),
  feature_id: OptionalText,
  event_name: OptionalText,
  value: Type.Optional(Type.Number()),
  properties: Properties,
  timestamp: Type.Optional(Type.Number({ minimum: 0, maximum: 8.64e15 })),
  overage_behavior: Type.Optional(Type.Enum(['cap', 'overflow'])),
  async: Type.Optional(Type.Boolean()),
})
type Track = Static<typeof TrackSchema>

/** Metered features whose meter reads events of this name. */
async function readersOf(tollgate: Tollgate, eventName: string): Promise<readonly OwnFeature[]> {
  const [{ data: meters }, { data: features }] = await Promise.all([
    tollgate.meters({ limit: LIST_MAX }),
    tollgate.features({ limit: LIST_MAX }),
  ])
  const reading = new Set(meters.filter(({ eventType }) => eventType === eventName).map(({ key }) => key))
  return features.filter(({ meter }) => meter !== null && reading.has(meter))
}

async function balancesOf(tollgate: Tollgate, customer: string, features: readonly OwnFeature[]) {
  const { data } = await tollgate.balances(customer)
  const wanted = new Set(features.map(({ key }) => key))
  const shown = data.filter(({ feature, type }) => type === 'metered' && wanted.has(feature))
  return Object.fromEntries(shown.map((balance) => [balance.feature, balanceJson(balance)]))
}

const LIST_MAX = 1_000
