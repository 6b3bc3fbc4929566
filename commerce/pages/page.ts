import type { FastifyReply } from 'fastify'
import { html } from 'ghtml'
import type { Language } from './language.ts'

/** A page of ours: complete without a script, in no frame, told to nobody. */
export type Page = {
  readonly title: string
  readonly language: Language
  /** The name of whoever sells. */
  readonly seller: string
  /** HTML. */
  readonly main: string
  /** No money moves: said on every page of test payments. */
  readonly isTest: boolean
}

/** Where pages find their style; the file changes with a release, and browsers ask for it again after a while. */
export const STYLE_PATH = '/assets/pages.css'

export function sendPage(reply: FastifyReply, status: number, page: Page): FastifyReply {
  return reply.code(status).headers(PAGE_HEADERS).type('text/html; charset=utf-8').send(pageHtml(page))
}

/** `form-action` names what a form of ours may lead to: the provider's page is behind one. */
export const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; form-action 'self' https://checkout.stripe.com; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'private, no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex',
}

/** A literal never ends in an exclamation mark but before HTML: the template library takes that mark to mean that what follows is HTML. */
function pageHtml({ title, language, seller, main, isTest }: Page): string {
  const banner = isTest ? html`<p class="callout callout-warn test-banner" role="note">${language.say('testBanner')}</p>` : ''
  return html`<!doctype html>
<html lang="${language.code}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="stylesheet" href="${STYLE_PATH}">
</head>
<body class="hosted">
<header class="hosted-head"><span class="hosted-mark" aria-hidden="true">${seller.slice(0, 1)}</span><span class="strong">${seller}</span></header>
!${banner}
<main id="main">!${main}</main>
</body>
</html>
`
}
