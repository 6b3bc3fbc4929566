import type { Clock } from '../../base/clock.ts'
import type { CustomerKey, InstantMs } from '../../domain/identity.ts'
import { type Outcome, orThrow, refuse, refuseFields } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { parseInstant } from '../../schemas/http/instants.ts'
import { BillingRunInputSchema, BillingRunSchema, InvoiceParamsSchema } from '../../schemas/http/invoices.ts'
import type { BillingRun, BillingRuns } from './billing-runs.ts'

export function billingRunRoutes({
  billingRuns,
  clock,
}: {
  readonly billingRuns: BillingRuns
  readonly clock: Clock
}): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/v1/billing-runs', { config: { scope: 'billing', isIdempotent: true }, schema: BEGIN_RUN }, async (request, reply) => {
      const { asOf, customers, lateFrom, dryRun = false } = request.body
      const nowMs = clock.now()
      const instant = (field: 'asOf' | 'lateFrom', given: string) =>
        orThrow(notAhead(field, orThrow(parseInstant(given, field)), given, nowMs))
      const asOfMs = asOf === undefined ? nowMs : instant('asOf', asOf)
      const run = await billingRuns.begin({
        ...{ tenant: request.principal.tenant, asOfMs, isDry: dryRun },
        ...(customers !== undefined && { customers: customers as CustomerKey[] }),
        ...(lateFrom !== undefined && { lateFromMs: instant('lateFrom', lateFrom) }),
      })
      return reply.code(202).send(runJson(run))
    })
    app.get('/v1/billing-runs/:id', { config: { scope: 'read' }, schema: GET_RUN }, async (request) => {
      const { id } = request.params
      return runJson(orThrow((await billingRuns.get(request.principal.tenant, id)) ?? refuse('unknown_billing_run', { run: id })))
    })
  }
}

function notAhead(field: string, atMs: InstantMs, given: string, nowMs: InstantMs): Outcome<InstantMs> {
  if (atMs <= nowMs) return atMs
  const detail = `${field} must not be ahead of now, which is ${new Date(nowMs).toISOString()}; was ${given}`
  return refuseFields('invalid_time', [{ field, code: 'invalid_time', detail }])
}

function runJson({ setAside, behind, ...run }: BillingRun) {
  return { ...run, ...(behind && { behind: [...behind] }), ...(setAside && { setAside: [...setAside] }) }
}

const TAGS = { tags: ['billing runs'] }

const BEGIN_RUN = {
  ...TAGS,
  operationId: 'beginBillingRun',
  summary: 'Make final all documents that can be',
  description: 'Runs happen every minute by themselves, unless `autoFinalise` is off. One that was killed is simply run again.',
  body: BillingRunInputSchema,
  response: { 202: BillingRunSchema, ...REFUSALS },
}
const GET_RUN = {
  ...TAGS,
  operationId: 'getBillingRun',
  summary: 'How a run goes, and what came of it',
  params: InvoiceParamsSchema,
  response: { 200: BillingRunSchema, ...REFUSALS },
}
