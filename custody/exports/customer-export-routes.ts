import { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { CustomerExportReader } from '../../adapters/database/customer-exports/customer-export-reader.ts'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { CustomerParamsSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { customerExport } from './customer-export.ts'

export type CustomerExportRoutesDeps = {
  readonly customers: Pick<CustomerStore, 'get'>
  readonly reader: CustomerExportReader
  readonly usageStore: Pick<UsageStore, 'events'>
}

export function customerExportRoutes({ customers, ...sources }: CustomerExportRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/customers/:key/export', { config: { scope: 'admin', isHeavyRead: true }, schema: EXPORT }, async (request, reply) => {
      const { tenant } = request.principal
      const customer = request.params.key as CustomerKey
      if ((await customers.get(tenant, customer)) === null) orThrow(refuse('unknown_customer', { customer }))
      const lines = customerExport(sources, tenant, customer)
      return reply.type('application/x-ndjson').send(Readable.from(lines) as never)
    })
  }
}

const EXPORT = {
  tags: ['customers'],
  operationId: 'exportCustomer',
  summary: 'All that is held of a customer, as NDJSON',
  description:
    'A line a row: `{"of": "invoices", "row": {…}}` for each table of the database, as it is stored, then `{"of": "events", "row": {…}}` for each event. The last line is `{"of": "end", "rows": n}`; without it the stream broke off.',
  params: CustomerParamsSchema,
  response: { 200: { description: 'Rows', content: { 'application/x-ndjson': { schema: Type.String() } } }, ...REFUSALS },
}
