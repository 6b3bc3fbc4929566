import { html } from 'ghtml'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import { QUANTITY_MAX_DEFAULT } from '../../domain/catalog/plan-selling.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import type { CheckoutAsk } from '../../domain/selling/checkout.ts'
import type { Language } from '../pages/language.ts'
import { type DecidedTotals, totalsText } from './decided-totals.ts'

export type OpenCheckout = {
  readonly plan: PlanVersion
  readonly asked: CheckoutAsk
  readonly decided: DecidedTotals
  /** Proves to the form that it was sent by the browser that it was shown to. */
  readonly formToken: string
  /** What is wrong with what was typed; null at first. */
  readonly problem: string | null
  readonly language: Language
}

/** What is bought, exact totals, and one form that posts to the address of the page itself. */
export function checkoutPage(checkout: OpenCheckout): string {
  const { plan, decided, problem, language } = checkout
  const { say, money } = language
  const due = money(decided.currency, decided.totals.due)
  const trouble = problem === null ? '' : html`<p class="callout callout-bad" role="alert"><b>${say('problem')}:</b> ${problem}</p>`
  return html`<div class="card hosted-sides">
<section class="hosted-side hosted-sum" aria-labelledby="what">
<h1 id="what">${say('buy', { name: plan.name })}</h1>
<p class="hosted-price">${due}</p>
!${totalsTable(decided, plan.name, language)}
<p class="small muted">${say('veryLines')}</p>
</section>
<section class="hosted-side" aria-labelledby="details">
<h2 id="details">${say('yourDetails')}</h2>
!${trouble}
!${form(checkout)}
</section>
</div>`
}

export function totalsTable({ currency, quantity, unitAmount, totals }: DecidedTotals, name: string, { say, money }: Language): string {
  const units =
    quantity === 1
      ? ''
      : html`<br><span class="small muted">${say('units', { quantity: String(quantity), unit: money(currency, unitAmount) })}</span>`
  const row = (title: string, amount: string, kind = '') => html`<tr class="${kind}"><th scope="row">${title}</th><td>${amount}</td></tr>`
  const taxes = totals.taxes.map(({ rate, amount }) =>
    row(`${rate.name} ${formatQuantity(rate.percentNano)} %${rate.isInclusive ? ` (${say('included')})` : ''}`, money(currency, amount)),
  )
  const rows = [
    html`<tr><th scope="row">${name}!${units}</th><td>${money(currency, totals.subtotal)}</td></tr>`,
    ...(totals.discount > 0n ? [row(say('discount'), `−${money(currency, totals.discount)}`)] : []),
    ...taxes,
    ...(totals.balanceApplied > 0n
      ? [row(say('total'), money(currency, totals.total)), row(say('balance'), `−${money(currency, totals.balanceApplied)}`)]
      : []),
    row(say('due'), money(currency, totals.due), 'sum'),
  ]
  return html`<table class="hosted-lines"><tbody>!${rows}</tbody></table>`
}

function form({ plan, asked, decided, formToken, language: { say, money } }: OpenCheckout): string {
  const { payWhatYouWant, quantityMax = QUANTITY_MAX_DEFAULT } = plan
  const field = (name: string, label: string, value: string | null, more: string) =>
    html`<label class="field"><span class="label">${label}</span><input class="input" name="${name}" value="${value ?? ''}" !${more}></label>`
  const quantity =
    quantityMax === 1
      ? ''
      : field('quantity', say('quantity'), String(decided.quantity), html`type="text" inputmode="numeric" pattern="[0-9]{1,6}" required`)
  const amount =
    payWhatYouWant === undefined || decided.currency.code !== plan.currency
      ? ''
      : html`!${field('amount', say('amount', { currency: decided.currency.code }), asked.amount ?? payWhatYouWant.suggested, html`type="text" inputmode="decimal" required`)}<p class="small muted">${say('amountHint', { least: payWhatYouWant.min })}</p>`
  const due = decided.totals.due
  return html`<form class="hosted-form" method="post">
<input type="hidden" name="token" value="${formToken}"><input type="hidden" name="totals" value="${totalsText(decided)}">
!${field('email', say('email'), asked.email, html`type="email" autocomplete="email" required maxlength="254"`)}
<p class="small muted">${say('emailHint')}</p>
!${field('name', say('name'), asked.name, html`type="text" autocomplete="name" maxlength="256"`)}
<div class="hosted-pair">!${field('country', say('country'), asked.country, html`type="text" autocomplete="country-name" maxlength="64"`)}
!${field('taxId', say('taxId'), asked.taxId, html`type="text" maxlength="64"`)}</div>
!${quantity}!${amount}
!${field('coupon', say('coupon'), asked.coupon, html`type="text" maxlength="128" autocomplete="off"`)}
<button class="button button-primary" name="do" value="pay">${due === 0n ? say('getFree') : say('pay', { amount: money(decided.currency, due) })}</button>
<button class="button" name="do" value="update" formnovalidate>${say('update')}</button>
!${asked.cancelUrl === null ? '' : html`<p><a href="${asked.cancelUrl}" rel="noreferrer">${say('cancel')}</a></p>`}
</form>`
}
