import { Type } from 'typebox'
import { InstantSchema } from './common.ts'

export const ExportParamsSchema = Type.Object({ kind: Type.Enum(['invoices', 'invoice-lines', 'ledger-entries']) })
export const ExportQuerySchema = Type.Object({
  from: Type.Optional({ ...InstantSchema, description: 'Documents that close, or entries that were posted, at this instant or later' }),
  to: Type.Optional({ ...InstantSchema, description: 'The same, before this instant' }),
  format: Type.Optional(Type.Enum(['csv', 'ndjson'])),
  cursor: Type.Optional(Type.String({ maxLength: 512, description: '`cursor` of the last row that arrived: goes on behind it' })),
})
