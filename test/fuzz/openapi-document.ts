export type JsonSchema = {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly additionalProperties?: boolean | JsonSchema
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>
  readonly minItems?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly format?: string
  readonly pattern?: string
}
export type Operation = {
  /** The route's name in the document: `GET /v1/meters/{key}`. */
  readonly route: string
  readonly method: string
  readonly path: string
  readonly query: readonly { readonly name: string; readonly schema: JsonSchema }[]
  readonly body: JsonSchema | null
}

type Document = {
  readonly components?: { readonly schemas?: Readonly<Record<string, JsonSchema>> }
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentOperation>>>>
}
type DocumentOperation = {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema?: JsonSchema }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> }
}

export function operationsOf(document: Document): readonly Operation[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([name, { parameters = [], requestBody }]) => {
      const method = name.toUpperCase()
      const query = parameters.filter((parameter) => parameter.in === 'query')
      return {
        route: `${method} ${path}`,
        method,
        path,
        query: query.map((parameter) => ({ name: parameter.name, schema: parameter.schema ?? {} })),
        body: written(requestBody?.content['application/json']?.schema ?? null, document),
      }
    }),
  )
}

/** The value with each named schema written out where it is used. */
function written<Value>(value: Value, document: Document): Value {
  if (Array.isArray(value)) return value.map((each) => written(each, document)) as Value
  if (typeof value !== 'object' || value === null) return value
  const name = '$ref' in value ? String(value.$ref).split('/').at(-1) : undefined
  if (name !== undefined) return written(document.components?.schemas?.[name], document) as Value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, written(each, document)])) as Value
}
