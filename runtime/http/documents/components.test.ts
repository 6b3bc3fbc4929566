import { expect, test } from 'vitest'
import { withComponents } from './components.ts'

const text = { type: 'string' }
const line = { type: 'object', properties: { quantity: text, amount: text, note: text } }
const invoice = {
  type: 'object',
  properties: { id: text, lines: { type: 'array', items: line }, tax: { type: 'object', properties: { a: text } } },
}
const problem = { type: 'object', properties: { code: text, detail: text, status: { type: 'integer' } } }
const json = (schema: object) => ({ content: { 'application/json': { schema } } })
const refused = { content: { 'application/problem+json': { schema: problem } } }
const page = { type: 'object', properties: { data: { type: 'array', items: invoice } } }
const document = {
  components: { securitySchemes: {} },
  paths: {
    '/v1/lines': { post: { operationId: 'addLine', requestBody: json(line), responses: { 204: { description: 'done' }, 400: refused } } },
    '/v1/invoices': { get: { operationId: 'listInvoices', responses: { 200: json(page) } } },
    '/v1/invoices/{id}': { get: { operationId: 'getInvoice', responses: { 200: json(invoice), 404: refused } } },
  },
}

test('what is read has its plain name, what is sent says so, and each shape is written once', () => {
  const { components, paths } = withComponents(document) as unknown as {
    components: { schemas: Record<string, unknown>; securitySchemes: object }
    paths: typeof document.paths
  }
  expect(Object.keys(components.schemas)).toEqual(['AddLineInput', 'Invoice', 'ListInvoicesAnswer', 'Problem'])
  expect(components.securitySchemes).toEqual({})
  expect(paths['/v1/invoices/{id}'].get.responses['200']).toEqual(json({ $ref: '#/components/schemas/Invoice' }))
  expect(paths['/v1/invoices/{id}'].get.responses['404'].content['application/problem+json'].schema).toEqual({
    $ref: '#/components/schemas/Problem',
  })
  expect(JSON.stringify(components.schemas.Invoice)).toContain('"items":{"$ref":"#/components/schemas/AddLineInput"}')
})

test('with every reference written out again, it is the document from before', () => {
  const { components, paths } = withComponents(document) as unknown as { components: { schemas: Record<string, object> }; paths: object }
  const written = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(written)
    if (typeof value !== 'object' || value === null) return value
    if ('$ref' in value) return written(components.schemas[String(value.$ref).split('/').at(-1) ?? ''])
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, written(each)]))
  }
  expect(written(paths)).toEqual(document.paths)
})

test('the same routes have the same names, whatever order they were registered in', () => {
  const reversed = { ...document, paths: Object.fromEntries(Object.entries(document.paths).reverse()) }
  expect(Object.keys((withComponents(reversed).components as unknown as { schemas: object }).schemas)).toEqual(
    Object.keys((withComponents(document).components as unknown as { schemas: object }).schemas),
  )
})
