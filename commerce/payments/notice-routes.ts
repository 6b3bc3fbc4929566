import { Type } from 'typebox'
import { orThrow, RefusalError, refuse } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, ProblemSchema } from '../../schemas/http/common.ts'
import { COMMERCE_BOUNDS } from '../commerce-bounds.ts'
import type { SellingKit } from '../selling-kit.ts'
import { takeNotice } from './take-notice.ts'

export type NoticeRoutesDeps = Pick<SellingKit, 'clock' | 'vault' | 'randomBytes' | 'write' | 'payments'>

/** Where providers tell what became of payments. The signature is over the raw bytes, so they are kept as they came. */
export function noticeRoutes(deps: NoticeRoutesDeps): (app: HttpApp) => Promise<void> {
  const { clock, payments } = deps
  return async (app) => {
    app.removeAllContentTypeParsers()
    const bytesMax = COMMERCE_BOUNDS.notice.most
    app.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: bytesMax },
      (_request, body, done: (error: Error | null, body?: unknown) => void) => done(null, body),
    )
    app.post('/v1/payment-notices/:provider', { schema: TAKE_NOTICE, bodyLimit: bytesMax }, async (request) => {
      const { provider } = request.params
      if (provider !== payments.name)
        throw new RefusalError(refuse('payments_off', { provider: payments.name, wanted: `take notices of ${provider}` }))
      const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      const notices = orThrow(await payments.readNotices({ headers: request.headers, bytes }))
      for (const notice of notices) await takeNotice(deps, { ...notice, provider }, clock.now())
      return { received: true }
    })
  }
}

const TAKE_NOTICE = {
  tags: ['payments'],
  operationId: 'takePaymentNotice',
  summary: 'What a payment provider tells',
  description: 'For the provider alone: signed by it, taken once, answered when it is committed.',
  params: Type.Object({ provider: Type.Enum(['test', 'stripe']) }),
  response: { 200: Type.Object({ received: Type.Boolean() }), ...REFUSALS, 413: ProblemSchema },
}
