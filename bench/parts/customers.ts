import type { TollgateProcess } from '../../test/support/servers/tollgate-process.ts'
import { growthFigure, growthLeg } from '../growth-leg.ts'
import { createBenchCatalog, metricOf, withServer } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { DEFAULT_WORKLOAD } from '../usage-workload.ts'

export const customersPart: BenchPart = {
  name: 'customers',
  about: 'CPU per event against the number of customers, HTTP to queryable',
  run: measureCustomers,
}

async function measureCustomers(context: BenchContext): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const customers of context.isQuick ? [100, 1_000] : [100, 10_000, 1_000_000]) {
    figures.push(await withServer(context, (server) => measureByCustomers(server, customers, context)))
  }
  return figures
}

/** Sends each customer in turn; every customer was seen before the measured load. */
async function measureByCustomers(server: TollgateProcess, customers: number, context: BenchContext): Promise<Figure> {
  context.progress(`${customers.toLocaleString('en')} customers`)
  await createBenchCatalog(server)
  const events = context.isQuick ? 50_000 : 1_000_000
  const workload = { ...DEFAULT_WORKLOAD, customers, poolEvents: Math.max(events / 5, customers), isEven: true }
  await growthLeg(server, { idPrefix: 'seen', events, workload })
  const rowsBefore = await windowRows(server)
  const leg = await growthLeg(server, { idPrefix: 'leg', events, workload })
  const rowsAnEvent = ((await windowRows(server)) - rowsBefore) / leg.load.newEvents
  const figure = growthFigure(`${customers.toLocaleString('en')} customers in turn`, server, leg)
  return { ...figure, note: `${rowsAnEvent.toFixed(2)} window rows an event; ${figure.note}` }
}

function windowRows(server: TollgateProcess): Promise<number> {
  return metricOf(server, 'tollgate_usage_store_row_total{table="usage_windows"}')
}
