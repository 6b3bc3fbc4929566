import { html, htmlPage } from './html-page.ts'

/** The part of an OpenAPI document that the page shows; `@fastify/swagger` writes it from the route schemas. */
export type OpenApiDocument = {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

export type Operation = {
  readonly tags?: readonly string[]
  readonly summary?: string
  readonly description?: string
  readonly operationId?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content?: Content }
  readonly responses?: Readonly<Record<string, { readonly description?: string; readonly content?: Content }>>
}
type Parameter = {
  readonly name: string
  readonly example?: unknown
  readonly in: string
  readonly required?: boolean
  readonly schema?: JsonSchema
  readonly description?: string
}
export type Content = Readonly<Record<string, { readonly schema?: JsonSchema; readonly example?: unknown }>>
export type JsonSchema = {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: JsonSchema | boolean
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly default?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly examples?: readonly unknown[]
} & Readonly<Record<string, unknown>>

type Route = Operation & { readonly method: string; readonly path: string }

/** The API reference for people: every route by its tag, with its parameters, bodies and answers. */
export function referencePage({ info, paths = {} }: OpenApiDocument): string {
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, ...operation })),
  )
  const tags = [...new Set(routes.map(tagOf))].sort()
  const body = `<h1>${html(info.title)} ${html(info.version)}</h1>
<p>${html(info.description ?? '')}</p>
<p><a href="docs/errors">Errors</a> · <a href="openapi.json">openapi.json</a> · <a href="openapi.yaml">openapi.yaml</a></p>
<p>${tags.map((tag) => `<a href="#${html(tag)}">${html(tag)}</a>`).join(' · ')}</p>
${tags.map((tag) => sectionOf(tag, routes)).join('\n')}`
  return htmlPage(`${info.title}: API reference`, body)
}

function tagOf({ tags = [] }: Operation): string {
  return tags[0] ?? 'other'
}

function sectionOf(tag: string, routes: readonly Route[]): string {
  const ofTag = routes.filter((route) => tagOf(route) === tag)
  return `<h2 id="${html(tag)}">${html(tag)}</h2>\n${ofTag.map(routeHtml).join('\n')}`
}

function routeHtml({ method, path, summary = '', description, operationId, parameters = [], requestBody, responses = {} }: Route): string {
  const parts = [
    description === undefined
      ? ''
      : description
          .split('\n\n')
          .map((text) => `<p>${html(text)}</p>`)
          .join(''),
    parameters.length === 0 ? '' : `<table>${parameters.map(parameterRow).join('')}</table>`,
    contentHtml('Body', requestBody?.content),
    exampleHtml(requestBody?.content),
    ...Object.entries(responses).map(([status, answer]) => answerHtml(status, answer)),
  ]
  return `<details id="${html(operationId ?? `${method} ${path}`)}"><summary><code><span class="method">${method}</span> ${html(path)}</code> ${html(summary)}</summary>
${parts.filter((part) => part !== '').join('\n')}</details>`
}

function parameterRow({ name, in: place, required = false, schema = {}, description }: Parameter): string {
  const says = description ?? schema.description ?? ''
  return `<tr><td><code>${html(name)}</code></td><td>${place}${required ? ', required' : ''}</td><td>${typeHtml(schema)}</td><td>${html(says)}</td></tr>`
}

function answerHtml(status: string, { description = '', content }: { readonly description?: string; readonly content?: Content }): string {
  // All errors have one shape, which the page of errors shows.
  return /^[45]/.test(status) ? `<p><b>${status}</b> ${html(description)}</p>` : contentHtml(`<b>${status}</b>`, content)
}

function contentHtml(title: string, content: Content | undefined): string {
  if (content === undefined) return title.startsWith('<b>') ? `<p>${title}</p>` : ''
  return Object.entries(content)
    .map(([type, { schema = {} }]) => `<p>${title} <code>${html(type)}</code> ${typeHtml(schema)}</p>${fieldsHtml(schema, LEVELS_MAX)}`)
    .join('\n')
}

/** The kinds of content of one body have one example. */
function exampleHtml(content: Content = {}): string {
  const example = Object.values(content)[0]?.example
  return example === undefined ? '' : `<pre>${html(JSON.stringify(example, null, 2))}</pre>`
}

/** Deeper than any of our schemas. */
const LEVELS_MAX = 10

function fieldsHtml(schema: JsonSchema, levels: number): string {
  if (levels === 0) return ''
  const { properties, required = [], items } = schema
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(([name, field]) => {
      const isNeeded = required.includes(name) ? ', required' : ''
      const says = field.description === undefined ? '' : ` ${html(field.description)}`
      return `<li><code>${html(name)}</code> ${typeHtml(field)}${isNeeded}${says}${fieldsHtml(field, levels - 1)}</li>`
    })
    return fields.length === 0 ? '' : `<ul>${fields.join('')}</ul>`
  }
  if (items !== undefined) return fieldsHtml(items, levels - 1)
  return (schema.anyOf ?? schema.oneOf ?? []).map((branch) => fieldsHtml(branch, levels - 1)).join('')
}

function typeHtml(schema: JsonSchema): string {
  const { type, items, enum: choices, const: only, examples } = schema
  const branches = schema.anyOf ?? schema.oneOf
  if (branches !== undefined) return [...new Set(branches.map(typeHtml))].join(' or ')
  if (only !== undefined) return code(only)
  if (choices !== undefined) return choices.map(code).join(', ')
  if (items !== undefined) return `list of ${typeHtml(items)}`
  const example = examples?.[0] === undefined ? '' : `, such as ${code(examples[0])}`
  const bounds = BOUNDS.filter((name) => schema[name] !== undefined).map((name) => `${name} ${String(schema[name])}`)
  return html([[type ?? 'any'].flat().join(' or '), ...bounds].join(', ')) + example
}

const BOUNDS = ['format', 'minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems', 'default']

function code(value: unknown): string {
  return `<code>${html(JSON.stringify(value))}</code>`
}
