import type { Clock } from '../../base/clock.ts'
import type { PlanKey, SubscriptionId } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'
import { ChangeInputSchema, REFUSALS, SubscriptionParamsSchema } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { parseInstant, readMoment } from '../../schemas/http/instants.ts'
import { PreviewQuerySchema, PreviewSchema } from '../../schemas/http/previews.ts'
import { draftJson } from '../documents/invoice-json.ts'
import type { InvoicePreviews } from './invoice-previews.ts'

export function previewRoutes({
  previews,
  clock,
}: {
  readonly previews: InvoicePreviews
  readonly clock: Clock
}): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/subscriptions/:id/invoice-preview', { config: { scope: 'read' }, schema: PREVIEW_INVOICE }, async (request) => {
      const { at } = request.query
      const atMs = at === undefined ? clock.now() : orThrow(parseInstant(at, 'at'))
      const documents = orThrow(await previews.of(request.principal.tenant, request.params.id as SubscriptionId, atMs))
      return { data: documents.map(draftJson) }
    })
    app.post('/v1/subscriptions/:id/change-preview', { config: { scope: 'read' }, schema: PREVIEW_CHANGE }, async (request) => {
      const { plan, at, invoice, resetAnchor = false, priceOverrides } = request.body
      const change = {
        ...{ plan: plan as PlanKey, at: orThrow(readMoment(at)), isInvoicedNow: invoice === 'now', resetsAnchor: resetAnchor },
        ...(priceOverrides !== undefined && { priceOverrides }),
      }
      const documents = orThrow(await previews.afterChange(request.principal.tenant, request.params.id as SubscriptionId, change))
      return { data: documents.map(draftJson) }
    })
  }
}

const OF_SUBSCRIPTION = { tags: ['invoices'], params: SubscriptionParamsSchema, response: { 200: PreviewSchema, ...REFUSALS } }

const PREVIEW_INVOICE = {
  ...OF_SUBSCRIPTION,
  operationId: 'previewInvoice',
  summary: 'The documents that a run would make of a subscription, or else the next one',
  description: 'Decided as a run decides, of the usage counted by now. Nothing is stored.',
  querystring: PreviewQuerySchema,
}
const PREVIEW_CHANGE = {
  ...OF_SUBSCRIPTION,
  operationId: 'previewChange',
  summary: 'The documents that would follow a change of plan',
  description: 'Refused as the change itself would be. Nothing is stored and nothing changes.',
  body: ChangeInputSchema,
}
