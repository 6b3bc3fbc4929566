import { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { BookExportReader } from '../../adapters/database/book-exports/book-export-reader.ts'
import { orThrow } from '../../domain/refusal.ts'
import { ExportParamsSchema, ExportQuerySchema } from '../../schemas/http/billing-exports.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { parseInstant } from '../../schemas/http/instants.ts'
import { streamExport } from './stream-export.ts'

export function exportRoutes(reader: BookExportReader): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/exports/:kind', { config: { scope: 'read', isHeavyRead: true }, schema: EXPORT }, async (request, reply) => {
      const { from, to, format = 'csv', cursor } = request.query
      const stretch = {
        fromMs: from === undefined ? undefined : orThrow(parseInstant(from, 'from')),
        toMs: to === undefined ? undefined : orThrow(parseInstant(to, 'to')),
      }
      const text = orThrow(streamExport(reader, request.params.kind, { tenant: request.principal.tenant, ...stretch, format, cursor }))
      reply.type(format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson')
      return reply.send(Readable.from(text) as never)
    })
  }
}

const EXPORT = {
  tags: ['invoices'],
  operationId: 'exportBook',
  summary: 'Documents, their lines or the ledger as CSV or NDJSON, in the order of time',
  description:
    'Streamed. A stream that broke off is gone on with by the `cursor` of its last whole row; the CSV then has no header. Columns are only ever added, before `cursor`.',
  params: ExportParamsSchema,
  querystring: ExportQuerySchema,
  response: {
    200: { description: 'Rows', content: { 'text/csv': { schema: Type.String() }, 'application/x-ndjson': { schema: Type.String() } } },
    ...REFUSALS,
  },
}
