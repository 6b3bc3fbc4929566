import type { InstantMs } from '../../domain/identity.ts'
import type { Principal } from '../../domain/principal.ts'
import { orThrow, RefusalError, refuse, refuseField } from '../../domain/refusal.ts'
import type { Checkout } from '../../domain/selling/checkout.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import { CheckoutInputSchema, CheckoutParamsSchema, CheckoutSchema, METADATA_CHARACTERS_MAX } from '../../schemas/http/checkouts.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import { originOf } from '../pages/origin.ts'
import type { SellingKit } from '../selling-kit.ts'
import { makeCheckout } from './make-checkout.ts'

export type CheckoutRoutesDeps = Pick<SellingKit, 'clock' | 'stores' | 'settings' | 'payments' | 'publicUrl'>

export function checkoutRoutes({ clock, stores, settings, payments, publicUrl }: CheckoutRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/v1/checkouts', { config: { scope: BUYING, isIdempotent: true }, schema: CREATE_CHECKOUT }, async (request, reply) => {
      const { metadata } = request.body
      const characters = metadata === undefined ? 0 : JSON.stringify(metadata).length
      if (characters > METADATA_CHARACTERS_MAX) {
        const tooLarge = refuse('metadata_too_large', { characters, charactersMax: METADATA_CHARACTERS_MAX })
        throw new RefusalError(refuseField('metadata', tooLarge))
      }
      const { tenant } = request.principal
      const { leastAmount } = payments
      const limits = isPublic(request) ? { returnUrls: (await settings.get(tenant)).returnUrls } : null
      const checkout = orThrow(await makeCheckout({ stores, leastAmount }, tenant, request.body, limits, clock.now()))
      return reply.code(201).send(checkoutJson(checkout, originOf(request, publicUrl), clock.now()))
    })
    app.get('/v1/checkouts/:id', { config: { scope: ['read', 'public'] }, schema: GET_CHECKOUT }, async (request) => {
      const { id } = request.params
      const checkout = await stores.checkouts.find(id)
      const isOwn = checkout?.tenant === request.principal.tenant
      const own = orThrow((isOwn ? checkout : null) ?? refuse('unknown_checkout', { checkout: id }))
      const { plan, order, ...status } = checkoutJson(own, originOf(request, publicUrl), clock.now())
      return isPublic(request) ? status : { ...status, plan, order }
    })
  }
}

/** A key that may stand in a page reads back the status alone. */
function isPublic({ principal }: { readonly principal: Principal }): boolean {
  return principal.kind === 'publishable'
}

function checkoutJson({ id, status: kept, expiresMs, plan, order }: Checkout, origin: string, nowMs: InstantMs) {
  // Its end is written down a little later.
  const status = kept === 'open' && nowMs >= expiresMs ? 'expired' : kept
  return { id, url: `${origin}/checkout/${id}`, status, expiresAt: instantJson(expiresMs), plan, order }
}

const BUYING = ['manage', 'public'] as const
const TAGS = { tags: ['checkouts'] }
const CREATE_CHECKOUT = {
  ...TAGS,
  operationId: 'createCheckout',
  summary: 'Make a page on which a plan is bought',
  description:
    'Plan version, currency and price are fixed for the life of the checkout. It is complete when its payment is known, never by a browser that comes back.',
  body: CheckoutInputSchema,
  response: { 201: CheckoutSchema, ...REFUSALS },
}
const GET_CHECKOUT = {
  ...TAGS,
  operationId: 'getCheckout',
  summary: 'Whether a checkout is paid',
  params: CheckoutParamsSchema,
  response: { 200: CheckoutSchema, ...REFUSALS },
}
