import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { TenantCheckout } from '../../adapters/database/checkouts/checkout-store.ts'
import { invariant } from '../../base/invariant.ts'
import { type Currency, currencyOf } from '../../domain/billing/money.ts'
import type { TenantKey } from '../../domain/identity.ts'
import { isRefusal, orThrow, type Refusal } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { refusalDetail, refusalStatus } from '../../schemas/http/refusal-answer.ts'
import { customerDownloads, customerLinks } from '../downloads/customer-downloads.ts'
import { browserHash, browserOf } from '../pages/browser.ts'
import { type Form, readForms, typedText } from '../pages/forms.ts'
import { type Language, languageOf } from '../pages/language.ts'
import { originOf } from '../pages/origin.ts'
import { sendPage } from '../pages/page.ts'
import { readEmail } from '../people/email.ts'
import type { SellingKit } from '../selling-kit.ts'
import { boughtPage, elsewherePage, noticePage, waitingPage } from './bought-page.ts'
import { checkoutPage } from './checkout-page.ts'
import { type Confirmed, confirmCheckout, type Typed } from './confirm-checkout.ts'
import { decidedOf } from './decided-totals.ts'
import { priceCheckout } from './price-checkout.ts'

export type PageRoutesDeps = Pick<SellingKit, 'clock' | 'vault' | 'randomBytes' | 'write' | 'stores' | 'payments' | 'publicUrl'>

type Params = { readonly id: string }
type Shown = { readonly status: number; readonly main: string; readonly title: string }

/** The hosted checkout page: one address, which shows what is bought, takes the form, and shows what was bought. */
export function pageRoutes(deps: PageRoutesDeps): (app: HttpApp) => Promise<void> {
  const { clock, vault, randomBytes, stores, payments, publicUrl } = deps

  async function answer(request: FastifyRequest, reply: FastifyReply, tenant: TenantKey | null, shown: Shown): Promise<FastifyReply> {
    const language = languageOf(request.headers['accept-language'])
    const seller = tenant === null ? null : (await stores.inputs.read(tenant, [])).settings.seller
    return sendPage(reply, shown.status, { ...shown, language, seller: seller?.name ?? 'Tollgate', isTest: payments.name === 'test' })
  }

  async function show(request: FastifyRequest, reply: FastifyReply, { id }: Params, trouble: Trouble | null): Promise<FastifyReply> {
    const language = languageOf(request.headers['accept-language'])
    const { say } = language
    const browser = browserOf(request, reply, randomBytes)
    const checkout = await stores.checkouts.find(id)
    if (checkout === null) {
      return answer(request, reply, null, { status: 404, title: say('unknown'), main: noticePage(say('unknown'), say('unknownHint')) })
    }
    const { tenant } = checkout
    const isOver = checkout.status === 'expired' || (checkout.status === 'open' && clock.now() >= checkout.expiresMs)
    if (isOver) {
      return answer(request, reply, tenant, { status: 410, title: say('expired'), main: noticePage(say('expired'), say('expiredHint')) })
    }
    const isOwn = checkout.browser === browserHash(browser)
    switch (checkout.status) {
      case 'complete': {
        const main = isOwn ? await bought(checkout, language) : elsewherePage(language)
        return answer(request, reply, tenant, { status: 200, title: say('thanks'), main })
      }
      case 'processing': {
        const attempt = (await stores.attempts.ofCheckout(id)).at(-1)
        const payUrl = isOwn && payments.name === 'test' && attempt !== undefined ? `/pay/test/${attempt.id}` : null
        return answer(request, reply, tenant, { status: 200, title: say('paying'), main: waitingPage(payUrl, language) })
      }
      default:
        return await open(request, reply, checkout, browser, trouble)
    }
  }

  async function open(
    request: FastifyRequest,
    reply: FastifyReply,
    checkout: TenantCheckout,
    browser: string,
    trouble: Trouble | null,
  ): Promise<FastifyReply> {
    const language = languageOf(request.headers['accept-language'])
    const { tenant } = checkout
    const plan = await stores.plans.get(tenant, checkout.plan, checkout.planVersion)
    invariant(plan !== null, 'a checkout names a plan version that is kept')
    const price = async (asked: TenantCheckout['asked']) =>
      await priceCheckout(stores, tenant, plan, asked, payments.leastAmount, clock.now())
    const wanted = { ...checkout.asked, ...trouble?.typed }
    const priced = await price(wanted)
    // What was typed may be what is wrong: then the page shows what was asked for at first.
    const totals = isRefusal(priced) ? orThrow(await price({ ...checkout.asked, coupon: null })) : priced
    const refusal = trouble?.refusal ?? (isRefusal(priced) ? priced : null)
    const problem = refusal === null ? null : refusal.code === 'totals_changed' ? language.say('totalsChanged') : refusalDetail(refusal)
    const main = checkoutPage({
      ...{ plan, asked: wanted, decided: decidedOf(totals), formToken: formToken(browser, checkout.id), problem, language },
    })
    const status = refusal === null ? 200 : refusalStatus(refusal)
    return answer(request, reply, tenant, { status, title: language.say('buy', { name: plan.name }), main })
  }

  async function bought({ tenant, order: id, asked, id: checkout }: TenantCheckout, language: Language): Promise<string> {
    const order = id === null ? null : await stores.orders.get(tenant, id)
    invariant(order !== null && id !== null, 'a complete checkout has an order')
    const plan = await stores.plans.get(tenant, order.plan, order.planVersion)
    const licenses = await stores.licenses.ofOwner(tenant, id)
    const own = new Set(
      (await stores.holdings.of(tenant, order.customer)).filter(({ owner }) => owner === id).map(({ terms }) => terms.key),
    )
    const downloads = await customerDownloads({ stores: deps.stores, vault }, tenant, order.customer, clock.now())
    const links = await customerLinks({ stores: deps.stores }, tenant, order.customer)
    const currency: Currency = orThrow(currencyOf(order.currency))
    return boughtPage(
      {
        ...{ plan: plan?.name ?? order.plan, paid: order.paid === 0n ? null : language.money(currency, order.paid) },
        keys: licenses.map(({ keySealed }) => vault.open('license-key', keySealed)),
        ...{ downloads, links: links.filter(({ key }) => own.has(key)) },
        invoice: order.invoice === null ? null : await stores.invoices.get(tenant, order.invoice),
        successUrl: asked.successUrl === null ? null : withCheckout(asked.successUrl, checkout),
      },
      language,
    )
  }

  function formToken(browser: string, id: string): string {
    return vault.mac('form', `${browser} ${id}`)
  }

  return async (app) => {
    readForms(app)
    const params = Type.Object({ id: Type.String({ maxLength: 64 }) })
    app.get('/checkout/:id', { schema: { hide: true, params } }, async (request, reply) => await show(request, reply, request.params, null))
    app.post('/checkout/:id', { schema: { hide: true, params } }, async (request, reply) => {
      const { id } = request.params
      const form = (request.body ?? new URLSearchParams()) as Form
      const browser = browserOf(request, reply, randomBytes)
      // A form of another page, or of a browser that keeps no cookies: what was typed is shown again, and nothing is bought.
      const isOwnForm = vault.isMac('form', `${browser} ${id}`, form.get('token') ?? '')
      const typed = readTyped(form)
      if (isRefusal(typed)) return await show(request, reply, { id }, { refusal: typed, typed: {} })
      const { totals: _totals, ...shown } = typed
      if (!isOwnForm || form.get('do') === 'update') return await show(request, reply, { id }, { refusal: null, typed: shown })
      const confirmed = await confirmCheckout(deps, id, typed, browserHash(browser), clock.now())
      if (isRefusal(confirmed)) return await show(request, reply, { id }, { refusal: confirmed, typed: shown })
      return reply
        .code(303)
        .header('location', await nextAddress(confirmed, `${originOf(request, publicUrl)}/checkout/${id}`))
        .send()
    })
  }

  /** Where the visitor pays; the page of the checkout where nothing is left to pay. */
  async function nextAddress(confirmed: Confirmed, returnUrl: string): Promise<string> {
    if (confirmed.kind === 'complete') return returnUrl
    const { attempt, checkout } = confirmed
    const prepared = await payments.prepare({
      ...{ attempt: attempt.id, tenant: checkout.tenant, amount: attempt.amount, currency: attempt.currency, returnUrl },
      ...{ description: checkout.plan, email: checkout.asked.email },
    })
    if (prepared.kind === 'transfer') return returnUrl
    await stores.attempts.setReference(attempt.id, prepared.reference, clock.now())
    return prepared.url
  }
}

/** What was typed, and why it was not taken. */
type Trouble = { readonly refusal: Refusal | null; readonly typed: Omit<Typed, 'totals'> }

function readTyped(form: Form) {
  const email = readEmail(form.get('email') ?? '')
  if (isRefusal(email) && form.get('do') !== 'update') return email
  const quantity = form.get('quantity')
  const amount = typedText(form, 'amount', 64)
  const typed: Typed = {
    email: isRefusal(email) ? null : email.typed,
    name: typedText(form, 'name', 256),
    country: typedText(form, 'country', 64),
    taxId: typedText(form, 'taxId', 64),
    coupon: typedText(form, 'coupon', 128),
    ...(quantity !== null && { quantity: Number(quantity) }),
    ...(amount !== null && { amount }),
    totals: form.get('totals') ?? '',
  }
  return typed
}

function withCheckout(url: string, checkout: string): string {
  const address = new URL(url)
  address.searchParams.set('checkout', checkout)
  return address.toString()
}
