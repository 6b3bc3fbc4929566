import { Ajv, type ErrorObject } from 'ajv'
import ajvFormats from 'ajv-formats'
import { type FieldError, RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { fieldErrors } from './validation-errors.ts'

/** Checks requests against their route's schemas; what does not fit is refused as `invalid_request` with every wrong field named. */
export function validateRequests(app: HttpApp): void {
  // Text from the URL is turned into the type its schema names; a JSON body already has types, and turning a number
  // into a string could lose digits.
  const forUrl = createAjv({ coerceTypes: 'array' })
  const forBody = createAjv({ coerceTypes: false })
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'body' ? forBody : forUrl).compile(schema as object))
  app.setSchemaErrorFormatter((errors, httpPart) => {
    const fields = fieldErrors(errors as unknown as ErrorObject[], httpPart)
    return new RefusalError(refuse('invalid_request', `The request is not valid: ${detailOf(fields)}.`, { errors: fields }))
  })
}

function createAjv(options: { coerceTypes: 'array' | false }): Ajv {
  // allErrors is bounded by the body limit and by the number of fields we report.
  const ajv = new Ajv({ ...options, useDefaults: true, allErrors: true, verbose: true, strict: false, removeAdditional: false })
  ajvFormats.default(ajv)
  return ajv
}

function detailOf(fields: readonly FieldError[]): string {
  const first = fields[0]?.detail ?? 'it does not fit the schema'
  return fields.length > 1 ? `${first} (and ${fields.length - 1} more, see errors)` : first
}
