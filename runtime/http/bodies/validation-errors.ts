import type { ErrorObject } from 'ajv'
import type { FieldError, RefusalCode } from '../../../domain/refusal.ts'

const FIELD_ERRORS_MAX = 20
const VALUE_CHARACTERS_MAX = 64

/** Ajv's errors as ours: one per field, naming the field, the value and the limit. Needs ajv's `verbose`. */
export function fieldErrors(errors: readonly ErrorObject[], httpPart: string): readonly FieldError[] {
  const byField = new Map<string, ErrorObject[]>()
  for (const error of ofLikeliestBranches(errors)) {
    const field = fieldOf(error) || httpPart
    const sameField = byField.get(field)
    if (sameField === undefined) byField.set(field, [error])
    else sameField.push(error)
  }
  return [...byField].slice(0, FIELD_ERRORS_MAX).map(([field, ofField]) => fieldError(field, ofField, httpPart))
}

/**
 * A union reports the errors of all its branches. The branch that was meant is the one whose constants fit (`model: "tiered"`),
 * so errors of branches with a wrong constant are dropped, unless there are no others.
 */
function ofLikeliestBranches(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const wrongBranches = new Set(errors.filter((error) => error.keyword === 'const').map(branchOf))
  const withoutUnions = errors.filter((error) => error.keyword !== 'anyOf' && error.keyword !== 'oneOf')
  const ofOthers = withoutUnions.filter((error) => !wrongBranches.has(branchOf(error)))
  if (wrongBranches.size === 0 || ofOthers.length > 0) return ofOthers
  return withoutUnions.filter((error) => error.keyword === 'const')
}

/** The innermost branch: the path up to the number after the last `anyOf` or `oneOf`. */
function branchOf({ schemaPath }: ErrorObject): string | undefined {
  const steps = schemaPath.split('/')
  const at = steps.findLastIndex((step, index) => (step === 'anyOf' || step === 'oneOf') && index + 2 < steps.length)
  return at < 0 ? undefined : steps.slice(0, at + 2).join('/')
}

function fieldOf(error: ErrorObject): string {
  const { missingProperty, additionalProperty } = error.params as { missingProperty?: string; additionalProperty?: string }
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = missingProperty ?? additionalProperty
  if (last !== undefined) path.push(last)
  return path.reduce(
    (field, segment) => (/^\d+$/.test(segment) ? `${field}[${segment}]` : field === '' ? segment : `${field}.${segment}`),
    '',
  )
}

function fieldError(field: string, errors: readonly ErrorObject[], httpPart: string): FieldError {
  const first = errors[0] as ErrorObject
  switch (first.keyword) {
    case 'required':
      return { field, code: 'missing', detail: `${field} is missing` }
    case 'additionalProperties':
      if (httpPart === 'querystring') return { field, code: 'unknown_parameter', detail: `there is no parameter '${shortened(field)}'` }
      return { field, code: 'unknown_field', detail: `${field} is not a field of this request` }
    case 'type': {
      const types = [...new Set(errors.filter((error) => error.keyword === 'type').map((error) => String(error.params.type)))]
      return { field, code: 'invalid_type', detail: `${field} must be ${types.join(' or ')}, was ${shown(first.data)}` }
    }
    case 'const':
    case 'enum': {
      const allowed = errors.flatMap((error) =>
        error.keyword === 'const' ? [error.params.allowedValue] : (error.params.allowedValues ?? []),
      )
      return { field, code: 'not_allowed', detail: `${field} must be one of ${[...new Set(allowed)].join(', ')}, was ${shown(first.data)}` }
    }
    default:
      return { field, code: KEYWORD_CODES.get(first.keyword) ?? 'invalid', detail: `${field} ${first.message}, was ${shown(first.data)}` }
  }
}

function shown(value: unknown): string {
  return shortened(JSON.stringify(value) ?? 'undefined')
}

function shortened(text: string): string {
  return text.length <= VALUE_CHARACTERS_MAX ? text : `${text.slice(0, VALUE_CHARACTERS_MAX)}… (${text.length} characters)`
}

/** The keywords that our schemas use, besides those with sentences of their own above. */
const KEYWORD_CODES: ReadonlyMap<string, RefusalCode> = new Map([
  ['pattern', 'invalid_pattern'],
  ['format', 'invalid_format'],
  ['minLength', 'invalid_min_length'],
  ['maxLength', 'invalid_max_length'],
  ['minimum', 'invalid_minimum'],
  ['maximum', 'invalid_maximum'],
  ['minItems', 'invalid_min_items'],
  ['maxItems', 'invalid_max_items'],
  ['maxProperties', 'invalid_max_properties'],
])
