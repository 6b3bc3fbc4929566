import type { Stage } from '../../schemas/http/stage.ts'
import type { MonthReportDeps } from './month-report.ts'
import { monthRoutes } from './month-routes.ts'

/** What months came to. */
export function openMonths(deps: MonthReportDeps): Stage {
  return { name: 'billing-months', routes: monthRoutes(deps) }
}
