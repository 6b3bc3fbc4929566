import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import type { FastifySchemaValidationError } from 'fastify'
import { RefusalError, refuseFields } from '../../domain/refusal.ts'
import { parseDateText, parseInstantText } from '../../domain/time/instant-text.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { fieldErrors } from './validation-errors.ts'

/** Checks requests against their route's schemas; a request that does not fit is refused as `invalid_request` with every wrong field named. */
export function validateRequests(app: HttpApp): void {
  // Text from the URL is converted to the type that its schema names; a JSON body has types already, and turning a number into a
  // string could lose digits.
  const forUrl = createAjv({ coerceTypes: 'array' })
  const forBody = createAjv({ coerceTypes: false })
  app.addHook('onRoute', (route) => {
    // Without a schema of their query, routes would take any; those of operations are asked by tools that add their own.
    if (route.url.startsWith('/v1/')) route.schema = { querystring: {}, ...route.schema }
  })
  app.setValidatorCompiler(({ schema, httpPart }) =>
    compiledWhenUsed(() =>
      httpPart === 'body'
        ? forBody.compile(schema as object)
        : forUrl.compile(
            httpPart === 'querystring' ? { type: 'object', additionalProperties: false, ...(schema as object) } : (schema as object),
          ),
    ),
  )
  app.setSchemaErrorFormatter((errors, httpPart) => {
    return new RefusalError(refuseFields('invalid_request', fieldErrors(errors as unknown as ErrorObject[], httpPart)))
  })
}

/** Compiled by the first request that needs it, as compiling all of them would be a tenth of a start's processor time. */
function compiledWhenUsed(compile: () => ValidateFunction) {
  let validate: ValidateFunction | null = null
  const check = (value: unknown): boolean => {
    validate ??= compile()
    const isValid = validate(value) === true
    check.errors = validate.errors as FastifySchemaValidationError[] | null
    return isValid
  }
  check.errors = null as FastifySchemaValidationError[] | null
  return check
}

function createAjv(options: { coerceTypes: 'array' | false }): Ajv {
  // The body limit and the number of reported fields bound allErrors.
  const ajv = new Ajv({ ...options, useDefaults: true, allErrors: true, verbose: true, strict: false, removeAdditional: false })
  ajvFormats.default(ajv)
  // The handler can read every text that the schema accepts.
  ajv.addFormat('date-time', (text) => parseInstantText(text) !== undefined)
  ajv.addFormat('date', (text) => parseDateText(text) !== undefined)
  return ajv
}
