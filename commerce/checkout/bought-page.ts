import { html } from 'ghtml'
import type { StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import type { CustomerDownload, CustomerLink } from '../downloads/customer-downloads.ts'
import type { Language } from '../pages/language.ts'

/** What a purchase came to. */
export type Bought = {
  readonly plan: string
  /** As it is written; null where nothing was due. */
  readonly paid: string | null
  readonly keys: readonly string[]
  readonly downloads: readonly CustomerDownload[]
  readonly links: readonly CustomerLink[]
  readonly invoice: StoredInvoice | null
  readonly successUrl: string | null
}

/** For the browser that paid. */
export function boughtPage({ plan, paid, keys, downloads, links, invoice, successUrl }: Bought, { say }: Language): string {
  const list = (title: string, items: readonly string[]) =>
    items.length === 0 ? '' : html`<h2>${title}</h2><ul class="hosted-list">!${items.map((item) => html`<li>!${item}</li>`)}</ul>`
  const number = typeof invoice?.record.number === 'string' ? invoice.record.number : null
  return html`<div class="card hosted-side hosted-narrow">
<h1>${say('thanks')}</h1>
<p>${plan}. ${paid === null ? say('nothingPaid') : say('paid', { amount: paid })}</p>
!${list(
    say('keys'),
    keys.map((key) => html`<p class="mono hosted-key">${key}</p>`),
  )}
!${list(
    say('files'),
    downloads.map(
      ({ name, release, path }) =>
        html`<a href="${path}">${name} ${release.version}</a> <span class="small muted">${release.filename}</span>`,
    ),
  )}
!${list(
    say('links'),
    links.map(({ url, label }) => html`<a href="${url}" rel="noopener noreferrer">${label}</a>`),
  )}
!${number === null ? '' : html`<p class="small muted">${say('invoice', { number })}</p>`}
!${successUrl === null ? '' : html`<p><a class="button button-primary" href="${successUrl}" rel="noreferrer">${say('backToShop')}</a></p>`}
</div>`
}

/** For every other browser: what was bought was sent to who bought it. */
export function elsewherePage({ say }: Language): string {
  return html`<div class="card hosted-side hosted-narrow"><h1>${say('thanks')}</h1><p>${say('elsewhere')}</p></div>`
}

export function waitingPage(payUrl: string | null, { say }: Language): string {
  const goOn = payUrl === null ? '' : html`<p><a class="button button-primary" href="${payUrl}">${say('goOn')}</a></p>`
  return html`<div class="card hosted-side hosted-narrow"><h1>${say('paying')}</h1><p>${say('payingHint')}</p>!${goOn}
<p><a class="button" href="">${say('reload')}</a></p></div>`
}

export function noticePage(title: string, hint: string): string {
  return html`<div class="card hosted-side hosted-narrow"><h1>${title}</h1><p>${hint}</p></div>`
}
