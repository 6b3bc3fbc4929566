import { randomUUID } from 'node:crypto'
import { html } from 'ghtml'
import { Type } from 'typebox'
import { currencyOf } from '../../domain/billing/money.ts'
import { orThrow } from '../../domain/refusal.ts'
import type { NoticeEffect } from '../../domain/selling/payment-attempt.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { noticePage } from '../checkout/bought-page.ts'
import { type Form, readForms } from '../pages/forms.ts'
import { languageOf } from '../pages/language.ts'
import { sendPage } from '../pages/page.ts'
import type { SellingKit } from '../selling-kit.ts'
import { takeNotice } from './take-notice.ts'

export type TestPageDeps = Pick<SellingKit, 'clock' | 'vault' | 'randomBytes' | 'write' | 'stores'>

const CHOICES: Readonly<Record<string, readonly NoticeEffect[]>> = {
  pay: ['succeeded'],
  decline: ['declined'],
  action: ['actionRequired', 'succeeded'],
  twice: ['succeeded', 'succeeded'],
  late: [],
}

/** In place of a provider's page: whoever looks at it decides how the payment goes. No money moves. */
export function testPageRoutes(deps: TestPageDeps): (app: HttpApp) => Promise<void> {
  const { clock, stores } = deps
  const schema = { hide: true, params: Type.Object({ attempt: Type.String({ maxLength: 64 }) }) }
  return async (app) => {
    readForms(app)
    app.get('/pay/test/:attempt', { schema }, async (request, reply) => {
      const language = languageOf(request.headers['accept-language'])
      const { say, money } = language
      const attempt = await stores.attempts.find(request.params.attempt)
      const page = { language, seller: 'Test payments', isTest: true }
      if (attempt === null)
        return sendPage(reply, 404, { ...page, title: say('unknown'), main: noticePage(say('unknown'), say('unknownHint')) })
      const amount = money(orThrow(currencyOf(attempt.currency)), attempt.amount)
      const button = (choice: string, text: string, kind = '') =>
        html`<button class="button ${kind}" name="choice" value="${choice}">${text}</button>`
      const main = html`<form class="card hosted-side hosted-narrow" method="post"><h1>${say('testTitle')}</h1><p>${say('testHint')}</p>
!${button('pay', say('testPay', { amount }), 'button-primary')}!${button('decline', say('testDecline'))}!${button('action', say('testAction'))}
!${button('twice', say('testTwice'))}!${button('late', say('testLate'))}</form>`
      return sendPage(reply, 200, { ...page, title: say('testTitle'), main })
    })
    app.post('/pay/test/:attempt', { schema }, async (request, reply) => {
      const attempt = await stores.attempts.find(request.params.attempt)
      const choice = (request.body as Form | undefined)?.get('choice') ?? ''
      if (attempt === null) return reply.code(303).header('location', `/pay/test/${request.params.attempt}`).send()
      const { id, amount, currency, tenant } = attempt
      for (const effect of CHOICES[choice] ?? []) {
        await takeNotice(deps, { id: randomUUID(), provider: 'test', tenant, attempt: id, effect, amount, currency }, clock.now())
      }
      return reply
        .code(303)
        .header('location', attempt.checkout === null ? '/' : `/checkout/${attempt.checkout}`)
        .send()
    })
  }
}
