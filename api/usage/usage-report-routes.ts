import { Counter, type Registry } from 'prom-client'
import type { Clock } from '../../base/clock.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, FeatureKey, InstantMs } from '../../domain/identity.ts'
import { EVENT_AGE_MAX_MS, EVENT_LEAD_MAX_MS } from '../../domain/metering/usage-event.ts'
import { usageReportEventId } from '../../domain/metering/usage-report.ts'
import { hasScope, type Principal } from '../../domain/principal.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import { parseSettleData } from '../../domain/reservations/reservation.ts'
import type { LimitedReports, Taken } from '../../entitlements/limited-reports.ts'
import type { UsageReports } from '../../entitlements/usage-reports.ts'
import { type HttpApp, ProblemSchema } from '../../schemas/http/common.ts'
import { instantJson, parseInstant, periodJson } from '../../schemas/http/instants.ts'
import { UsageReportInputSchema, UsageReportSchema } from '../../schemas/http/usage-report.ts'
import { meteredBalance } from '../balances/balance-json.ts'

export type UsageReportRoutesDeps = {
  readonly usageReports: UsageReports
  readonly limitedReports: LimitedReports
  readonly clock: Clock
  readonly registry: Registry
  /** Ids for reports that have none: never the same twice. */
  readonly createId: () => string
}

/** Direct usage reports, where there are no events to meter: corrections, imports, gauges. */
export function usageReportRoutes({
  usageReports,
  limitedReports,
  clock,
  registry,
  createId,
}: UsageReportRoutesDeps): (app: HttpApp) => Promise<void> {
  const reports = new Counter({
    name: 'tollgate_usage_reports_total',
    help: 'Direct reports of usage, by how they were answered: delta, set, up_to_limit, or the code of the refusal',
    labelNames: ['result'],
    registers: [registry],
  })
  return async (app) => {
    app.post('/v1/usage', { config: { scope: ['ingest', 'manage'], isIdempotent: true }, schema: REPORT_USAGE }, async (request, reply) => {
      const { customer, feature, behaviour, id = createId(), time, data, upTo } = request.body
      const nowMs = clock.now()
      const quantity = orThrow(parseReported(request.body.quantity, behaviour))
      orThrow(mayReport(request.principal, behaviour, quantity))
      const { tenant } = request.principal
      const properties = data === undefined ? null : orThrow(parseSettleData(data))
      const reported = { customer: customer as CustomerKey, feature: feature as FeatureKey, quantity, id, properties }
      const answer = { customer, feature, quantity: formatQuantity(quantity), behaviour }
      if (upTo !== undefined) {
        orThrow(mayTakeWhatFits(behaviour, quantity, time))
        const taken = await limitedReports.take(tenant, reported)
        reports.inc({ result: isRefusal(taken) ? taken.code : 'up_to_limit' })
        return reply.code(202).send({ id: usageReportEventId(id), ...answer, ...takenJson(quantity, orThrow(taken)) })
      }
      const occurredAtMs = time === undefined ? nowMs : orThrow(parseTime(time, nowMs))
      const outcome = await usageReports.report(tenant, { ...reported, behaviour, occurredAtMs })
      reports.inc({ result: isRefusal(outcome) ? outcome.code : behaviour })
      const { event, period } = orThrow(outcome)
      return reply.code(202).send({
        id: event.id,
        ...answer,
        time: instantJson(event.occurredAtMs),
        ...(period === null ? {} : { period: periodJson(period) }),
      })
    })
  }
}

const REPORT_USAGE = {
  tags: ['usage'],
  operationId: 'reportUsage',
  summary: 'Report usage of a metered feature directly',
  description:
    'Answers once the report is durable; it counts in windows, balances and invoices like an event, in the order of arrival. `set`, and a negative quantity, take usage away and need scope `manage`. ' +
    '`upTo: "limit"` takes what is left of the limit and no more, whatever comes at once: `taken` and `refused` say how much. ' +
    'The feature must be metered by sum or count. The properties of `data` are its dimensions; one that the feature filters by and `data` does not give is the first value of the filter.',
  body: UsageReportInputSchema,
  response: { 202: UsageReportSchema, 400: ProblemSchema, 404: ProblemSchema, 409: ProblemSchema, 503: ProblemSchema },
}

function parseReported(input: string | number, behaviour: 'delta' | 'set'): Outcome<bigint> {
  const quantity = parseQuantity(input)
  if (quantity !== null && (behaviour === 'delta' || quantity >= 0n)) return quantity
  return refuseField('quantity', refuse('invalid_quantity', { quantity: input, range: behaviour === 'set' ? 'from 0' : 'any' }))
}

function mayTakeWhatFits(behaviour: 'delta' | 'set', quantity: bigint, time: string | undefined): Outcome<true> {
  const wrong = behaviour !== 'delta' ? 'behaviour' : quantity <= 0n ? 'quantity' : time !== undefined ? 'time' : null
  if (wrong === null) return true
  const detail = `${wrong} does not go with upTo: it is for a delta above 0, and takes from what is left now. Leave upTo or ${wrong} out`
  return refuseFields('invalid_request', [{ field: wrong, code: 'invalid', detail }])
}

function takenJson(quantity: bigint, { takenUnits, occurredAtMs, metered }: Taken) {
  return {
    time: instantJson(occurredAtMs),
    taken: formatQuantity(takenUnits),
    refused: formatQuantity(quantity - takenUnits),
    ...(metered === null ? {} : { balance: meteredBalance(metered) }),
  }
}

/** A key that may send events can add usage; taking usage away changes what a customer owes, so it needs another scope. */
function mayReport(principal: Principal, behaviour: 'delta' | 'set', quantity: bigint): Outcome<true> {
  const wanted = behaviour === 'set' ? 'set' : quantity < 0n ? 'negative' : null
  if (wanted === null || hasScope(principal, 'manage')) return true
  return refuse('missing_scope', { scope: 'manage', has: principal.scopes, wanted })
}

/** The same bounds as an event's. */
function parseTime(text: string, nowMs: InstantMs): Outcome<InstantMs> {
  const occurredAtMs = parseInstant(text, 'time')
  if (isRefusal(occurredAtMs)) return occurredAtMs
  const earliestMs = (nowMs - EVENT_AGE_MAX_MS) as InstantMs
  const latestMs = (nowMs + EVENT_LEAD_MAX_MS) as InstantMs
  if (occurredAtMs >= earliestMs && occurredAtMs <= latestMs) return occurredAtMs
  const detail = `time must be from ${instantJson(earliestMs)} to ${instantJson(latestMs)}, was '${text}'`
  return refuseFields('invalid_time', [{ field: 'time', code: 'invalid_time', detail }])
}
