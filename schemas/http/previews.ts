import { Type } from 'typebox'
import { InstantSchema } from './common.ts'
import { InvoiceDocumentSchema } from './invoices.ts'

export const PreviewQuerySchema = Type.Object({
  at: Type.Optional({ ...InstantSchema, description: 'The instant of the run that is previewed; now when absent' }),
})
export const PreviewSchema = Type.Object({ data: Type.Array(InvoiceDocumentSchema) })
