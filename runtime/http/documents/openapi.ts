import swagger from '@fastify/swagger'
import type { Scope, TokenScope } from '../../../domain/principal.ts'
import type { HttpApp } from '../../../schemas/http/common.ts'
import { ProblemSchema } from '../../../schemas/http/common.ts'
import { errorReference } from '../../../schemas/http/error-reference.ts'
import { OPERATORS } from '../keys/authentication.ts'
import { type OpenApi, withComponents } from './components.ts'
import { serveDocuments } from './documents.ts'
import { errorPage } from './error-page.ts'
import { withExamples } from './examples.ts'
import { PAGE_CSP } from './html-page.ts'
import { type OpenApiDocument, referencePage } from './reference-page.ts'

const PROBLEM_DESCRIPTION = (ProblemSchema as { description?: string }).description

type RouteSchema = { response?: Record<string, unknown>; description?: string; security?: unknown; hide?: boolean }

/** Who may read the reference: everybody, or operators. */
export type DocsReaders = 'everybody' | 'operators'

/**
 * `/openapi.json` and `/openapi.yaml`, written from the route schemas; `/docs`, which shows them without a script and without
 * needing the internet; `/docs/errors`, which lists every code.
 */
export function describeApi(app: HttpApp, version: string, readers: DocsReaders): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tollgate',
        version,
        description:
          'Meters what customers use, prices it, and answers "may they?" before the next call. Every error code, what it means and the next move: /docs/errors.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'A key of a tenant, or a customer token' } },
      },
    },
    transformObject: (document) =>
      'openapiObject' in document ? (withExamples(document.openapiObject as OpenApiDocument) as never) : document.swaggerObject,
    transform: ({ schema, url, route }) => {
      const busy =
        route.config?.isHeavyRead === true ? { 429: 'More reads of this tenant wait than may', 503: 'Cannot be read at the moment' } : {}
      const { scope = [], tokenScope, isKeyOptional } = route.config ?? {}
      const needed = isKeyOptional === true ? null : tokenScope === undefined ? neededKey([scope].flat()) : neededToken(tokenScope)
      return { schema: described(schema as RouteSchema | undefined, needed, busy) as never, url }
    },
  })
  const config = readers === 'operators' ? OPERATORS : {}
  const html = { contentType: 'text/html; charset=utf-8', contentSecurityPolicy: PAGE_CSP }
  app.register(async (routes) => {
    serveDocuments(
      routes,
      [
        {
          path: '/openapi.json',
          contentType: 'application/json; charset=utf-8',
          make: () => openApiText(app),
        },
        { path: '/openapi.yaml', contentType: 'application/yaml; charset=utf-8', make: () => app.swagger({ yaml: true }) },
        { path: '/docs', ...html, make: () => referencePage(app.swagger() as OpenApiDocument) },
        { path: '/docs/errors', ...html, make: errorPage },
      ],
      config,
    )
    const hidden = { config, schema: { hide: true } as object }
    routes.get('/docs/', hidden, async (_request, reply) => reply.redirect('../docs'))
    // A person's browser asks for a page, a program does not.
    routes.get('/', hidden, async ({ headers: { accept = '' } }, reply) =>
      reply.redirect(accept.includes('text/html') ? 'console' : 'docs'),
    )
  })
}

/** The document as JSON, with named schemas and every error code. */
export function openApiText(app: HttpApp): string {
  return JSON.stringify({ ...withComponents(app.swagger() as OpenApi), 'x-errors': errorReference() })
}

/** What a request must bring, and how the answers are described to one that does not. */
type Needed = { readonly sentence: string; readonly problems: Readonly<Record<number, string>> }

function neededKey(scopes: readonly Scope[]): Needed | null {
  if (scopes.length === 0) return null
  return {
    sentence: `Needs scope ${scopes.map((scope) => `\`${scope}\``).join(' or ')}.`,
    problems: { 401: 'No key, or no such key', 403: `The key has not the scope ${scopes.join(' or ')}` },
  }
}

function neededToken(scope: TokenScope): Needed {
  return {
    sentence: `Needs a customer token with scope \`${scope}\`, and answers about its customer.`,
    problems: { 401: 'No customer token, or one that has ended', 403: `A key, or a token without the scope ${scope}` },
  }
}

function described(schema: RouteSchema | undefined, needed: Needed | null, busy: Readonly<Record<string, string>>): RouteSchema {
  if (schema?.hide === true) return schema
  const problems = needed === null ? {} : { ...busy, ...needed.problems }
  const response: Record<string, unknown> = { ...schema?.response }
  for (const [status, description] of Object.entries(problems)) response[status] ??= { description }
  for (const [status, answer] of Object.entries(response)) {
    if (/^[45]/.test(status)) response[status] = problemResponse(answer as { description?: string })
  }
  const description = [schema?.description, needed?.sentence].filter((text) => text !== undefined)
  return {
    ...schema,
    response,
    ...(description.length === 0 ? {} : { description: description.join('\n\n') }),
    ...(needed === null ? {} : { security: [{ bearer: [] }] }),
  }
}

function problemResponse({ description }: { description?: string }): object {
  return {
    description: description === undefined || description === PROBLEM_DESCRIPTION ? 'Refused, with the reason' : description,
    content: { 'application/problem+json': { schema: ProblemSchema } },
  }
}
