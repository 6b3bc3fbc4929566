import { parseInstantText } from '../../../domain/time/instant-text.ts'
import type { Content, JsonSchema, OpenApiDocument, Operation } from './reference-page.ts'

/**
 * The document with an example in every body, parameter and answer that has a schema: what the schema says (`examples`), else
 * what is usual under that name, else the plainest value that the schema allows. A field that may be left out is left out, unless
 * its schema has examples.
 */
export function withExamples<Document extends OpenApiDocument>(document: Document): Document {
  const paths = Object.entries(document.paths ?? {}).map(([path, operations]) => [
    path,
    Object.fromEntries(Object.entries(operations).map(([method, operation]) => [method, operationWithExamples(operation)])),
  ])
  return { ...document, paths: Object.fromEntries(paths) }
}

function operationWithExamples(operation: Operation): Operation {
  const { parameters, requestBody, responses = {} } = operation
  const answers = Object.entries(responses).map(([status, answer]) => [
    status,
    status.startsWith('2') && answer.content !== undefined ? { ...answer, content: contentWithExamples(answer.content) } : answer,
  ])
  return {
    ...operation,
    ...(parameters === undefined
      ? {}
      : { parameters: parameters.map((each) => ({ ...each, example: each.example ?? exampleOf(each.schema ?? {}, each.name) })) }),
    ...(requestBody?.content === undefined ? {} : { requestBody: { ...requestBody, content: contentWithExamples(requestBody.content) } }),
    responses: Object.fromEntries(answers),
  }
}

function contentWithExamples(content: Content): Content {
  return Object.fromEntries(
    Object.entries(content).map(([type, media]) => [type, { ...media, example: exampleOf(media.schema ?? {}, '') }]),
  )
}

/** `name` is that of the field or parameter that has the schema. */
export function exampleOf(schema: JsonSchema, name: string): unknown {
  const { examples, const: only, enum: choices, default: byDefault } = schema
  if (examples?.[0] !== undefined) return examples[0]
  if (only !== undefined) return only
  if (choices !== undefined) return choices[0]
  const [branch] = schema.anyOf ?? schema.oneOf ?? []
  if (branch !== undefined) return exampleOf(branch, name)
  const usual = USUAL[name]
  const [type = 'object'] = [schema.type ?? []].flat()
  if (usual !== undefined && fits(usual, schema, type)) return usual
  if (byDefault !== undefined) return byDefault
  switch (type) {
    case 'string':
      return textExample(schema)
    case 'integer':
    case 'number':
      return schema.minimum ?? 1
    case 'boolean':
      return true
    case 'null':
      return null
    case 'array':
      return schema.items === undefined ? [] : [exampleOf(schema.items, name)]
    default:
      return objectExample(schema)
  }
}

function objectExample({ properties = {}, required = [], patternProperties = {}, additionalProperties }: JsonSchema): object {
  const shown = Object.entries(properties).filter(([name, field]) => required.includes(name) || saysExample(field))
  const [anyField] = Object.values(patternProperties)
  const ofAnyName = anyField ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined)
  return {
    ...Object.fromEntries(shown.map(([name, field]) => [name, exampleOf(field, name)])),
    ...(shown.length === 0 && ofAnyName !== undefined ? { model: exampleOf(ofAnyName, 'model') } : {}),
  }
}

function saysExample({ examples, anyOf = [], items }: JsonSchema): boolean {
  return examples !== undefined || anyOf.some(saysExample) || (items !== undefined && saysExample(items))
}

function textExample({ format, minLength = 0 }: JsonSchema): string {
  if (format === 'date-time') return '2026-12-01T00:00:00.000Z'
  return 'text'.padEnd(minLength, '.')
}

function fits(
  value: string | number,
  { pattern, maxLength = Number.POSITIVE_INFINITY, minimum, format }: JsonSchema,
  type: string,
): boolean {
  if (typeof value === 'number') return (type === 'integer' || type === 'number') && (minimum === undefined || value >= minimum)
  if (type !== 'string' || value.length > maxLength) return false
  if (format === 'date-time' && parseInstantText(value) === undefined) return false
  return pattern === undefined || new RegExp(pattern, 'u').test(value)
}

/** The story of the README: customer acme uses tokens of an assistant. */
const USUAL: Readonly<Record<string, string | number>> = {
  key: 'acme',
  customer: 'acme',
  subject: 'user-7',
  name: 'Acme',
  email: 'billing@acme.example',
  feature: 'tokens',
  meter: 'tokens',
  charge: 'tokens',
  product: 'assistant',
  plan: 'pro',
  currency: 'USD',
  country: 'DE',
  model: 'large',
  type: 'llm.request',
  eventType: 'llm.request',
  source: 'default',
  id: 'request-1',
  timezone: 'Europe/Berlin',
  reason: 'Agreed on the phone',
  quantity: '1730',
  value: '1540',
  used: '1540',
  held: '0',
  limit: '5000000',
  remaining: '4998460',
  overage: '0',
  amount: '4.33',
  total: '4.33',
  exact: '4.325',
  unitAmount: '2.50',
  per: '1000000',
  events: 1,
  title: 'Conflict',
  version: 1,
  line: '3',
  status: 'active',
}
