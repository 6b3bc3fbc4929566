import type { Static } from 'typebox'
import { currencyOf, type Money, moneyText } from '../../domain/billing/money.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'
import { BillingMonthParamsSchema, BillingMonthSchema } from '../../schemas/http/billing-months.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import { type MonthReport, type MonthReportDeps, readMonth } from './month-report.ts'

export function monthRoutes(deps: MonthReportDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/billing/months/:month', { config: { scope: 'read', isHeavyRead: true }, schema: GET_MONTH }, async (request) => {
      const { month } = request.params
      const bounds = monthOf(month)
      return monthJson(month, bounds, await readMonth(deps, request.principal.tenant, bounds))
    })
  }
}

type Month = { readonly fromMs: InstantMs; readonly toMs: InstantMs }

function monthOf(month: string): Month {
  const [year = 0, number = 1] = month.split('-').map(Number)
  return { fromMs: Date.UTC(year, number - 1) as InstantMs, toMs: Date.UTC(year, number) as InstantMs }
}

function monthJson(month: string, { fromMs, toMs }: Month, report: MonthReport): Static<typeof BillingMonthSchema> {
  const { documents, taxes, adjustments, openCount, open } = report
  return {
    ...{ month, from: instantJson(fromMs), to: instantJson(toMs), isClosed: openCount === 0, openCount },
    open: open.map(({ subscription, customer, closesAtMs, dueAtMs }) => {
      const instant = (ms: InstantMs | null) => (ms === null ? null : instantJson(ms))
      return { subscription, customer, closesAt: instant(closesAtMs), dueAt: instant(dueAtMs) }
    }),
    documents: documents.map(({ due, paid, ...sums }) => {
      const currency = orThrow(currencyOf(sums.currency))
      return { ...sums, due: moneyText(currency, due as Money), paid: moneyText(currency, paid as Money) }
    }),
    taxes: [...taxes],
    adjustments: [...adjustments],
  }
}

const GET_MONTH = {
  tags: ['billing runs'],
  operationId: 'getBillingMonth',
  summary: 'What a month came to, and what of it is not final yet',
  description: 'What closes a period is of the month in which the period ends; what opens one, of that in which it begins. UTC.',
  params: BillingMonthParamsSchema,
  response: { 200: BillingMonthSchema, ...REFUSALS },
}
