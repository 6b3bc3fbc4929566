import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import type { FastifySchemaValidationError } from 'fastify'
import { type Refusal, RefusalError, refuseFields } from '../../../domain/refusal.ts'
import { parseDateText, parseInstantText } from '../../../domain/time/instant-text.ts'
import type { HttpApp } from '../../../schemas/http/common.ts'
import { isWideBody } from './json-bodies.ts'
import { fieldErrors } from './validation-errors.ts'

/** Checks requests against their route's schemas; a request that does not fit is refused as `invalid_request` with every wrong field named. */
export function validateRequests(app: HttpApp): void {
  // Text from the URL is converted to the type that its schema names; a JSON body has types already, and turning a number into a
  // string could lose digits.
  const forUrl = createValidators({ coerceTypes: 'array' })
  const forBody = createValidators({ coerceTypes: false })
  app.addHook('onRoute', (route) => {
    // Without a query schema a route would accept any query; routes of operations do, as tools add parameters of their own.
    if (route.url.startsWith('/v1/')) route.schema = { querystring: {}, ...route.schema }
  })
  app.setValidatorCompiler(({ schema, httpPart }) => {
    if (httpPart === 'body') return compiledWhenUsed(forBody, schema as object)
    return compiledWhenUsed(
      forUrl,
      httpPart === 'querystring' ? { type: 'object', additionalProperties: false, ...(schema as object) } : (schema as object),
    )
  })
  app.setSchemaErrorFormatter((errors, httpPart) => new RefusalError(wrongFields(errors, httpPart)))
  const checks = new WeakMap<object, ReturnType<typeof compiledWhenUsed>>()
  app.decorateRequest('checkBody', (schema: object, value: unknown) => {
    const check = checks.get(schema) ?? compiledWhenUsed(forBody, schema)
    checks.set(schema, check)
    return check(value) ? null : wrongFields(check.errors ?? [], 'body')
  })
}

function wrongFields(errors: readonly FastifySchemaValidationError[], httpPart: string): Refusal {
  return refuseFields('invalid_request', fieldErrors(errors as unknown as ErrorObject[], httpPart))
}

type Validators = { readonly everyError: Ajv; readonly firstError: Ajv }

/** Compiled by the first request that needs it, as compiling all of them would be a tenth of a start's processor time. */
function compiledWhenUsed({ everyError, firstError }: Validators, schema: object) {
  const compiled = new Map<Ajv, ValidateFunction>()
  const check = (value: unknown): boolean => {
    // Each wrong field has an error for each branch of its schema, so of a wide body the first is enough.
    const ajv = isWideBody(value) ? firstError : everyError
    const validate = compiled.get(ajv) ?? ajv.compile(schema)
    compiled.set(ajv, validate)
    const isValid = validate(value) === true
    check.errors = validate.errors as FastifySchemaValidationError[] | null
    return isValid
  }
  check.errors = null as FastifySchemaValidationError[] | null
  return check
}

function createValidators(options: { coerceTypes: 'array' | false }): Validators {
  return { everyError: createAjv({ ...options, allErrors: true }), firstError: createAjv({ ...options, allErrors: false }) }
}

function createAjv(options: { coerceTypes: 'array' | false; allErrors: boolean }): Ajv {
  const ajv = new Ajv({ ...options, useDefaults: true, verbose: true, strict: false, removeAdditional: false })
  ajvFormats.default(ajv)
  // The handler can read every text that the schema accepts.
  ajv.addFormat('date-time', (text) => parseInstantText(text) !== undefined)
  ajv.addFormat('date', (text) => parseDateText(text) !== undefined)
  return ajv
}
