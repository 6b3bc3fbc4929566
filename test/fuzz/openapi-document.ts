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
        body: requestBody?.content['application/json']?.schema ?? null,
      }
    }),
  )
}
