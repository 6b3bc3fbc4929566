import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { Scope } from '../../domain/principal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { ProblemSchema } from '../../schemas/http/common.ts'
import { errorReference } from '../../schemas/http/error-reference.ts'
import { errorPage } from './error-page.ts'

const ERROR_PAGE_CSP = "default-src 'none'; style-src 'unsafe-inline'"
const PROBLEM_DESCRIPTION = (ProblemSchema as { description?: string }).description

type RouteSchema = { response?: Record<string, unknown>; description?: string; security?: unknown; hide?: boolean }

/** `/openapi.json`, written from the route schemas, and `/docs`, which shows it without needing the internet; `/docs/errors` lists every code. */
export function describeApi(app: HttpApp, version: string): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tollgate',
        version,
        description:
          'Meters what customers use, prices it, and answers "may they?" before the next call. [Errors](docs/errors): every code, what it means, and the next move.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'A key of a tenant' } } },
    },
    transform: ({ schema, url, route }) => {
      const scopes = [route.config?.scope ?? []].flat()
      return { schema: described(schema as RouteSchema | undefined, scopes) as never, url }
    },
  })
  app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true, uiConfig: { docExpansion: 'list', persistAuthorization: true } })
  app.register(async (routes) => {
    routes.get('/openapi.json', { schema: { hide: true } as object }, async () => ({ ...app.swagger(), 'x-errors': errorReference() }))
    routes.get('/docs/errors', { schema: { hide: true } as object }, async (_request, reply) =>
      reply.type('text/html; charset=utf-8').header('content-security-policy', ERROR_PAGE_CSP).send(errorPage()),
    )
  })
}

function described(schema: RouteSchema | undefined, scopes: readonly Scope[]): RouteSchema {
  if (schema?.hide === true) return schema
  const isOpen = scopes.length === 0
  const problems = isOpen ? {} : { 401: 'No key, or no such key', 403: `The key has not the scope ${scopes.join(' or ')}` }
  const response: Record<string, unknown> = { ...schema?.response }
  for (const [status, description] of Object.entries(problems)) response[status] ??= { description }
  for (const [status, answer] of Object.entries(response)) {
    if (/^[45]/.test(status)) response[status] = problemResponse(answer as { description?: string })
  }
  const description = [
    schema?.description,
    isOpen ? undefined : `Needs scope ${scopes.map((scope) => `\`${scope}\``).join(' or ')}.`,
  ].filter((text) => text !== undefined)
  return {
    ...schema,
    response,
    ...(description.length === 0 ? {} : { description: description.join('\n\n') }),
    ...(isOpen ? {} : { security: [{ bearer: [] }] }),
  }
}

function problemResponse({ description }: { description?: string }): object {
  return {
    description: description === undefined || description === PROBLEM_DESCRIPTION ? 'Refused, with the reason' : description,
    content: { 'application/problem+json': { schema: ProblemSchema } },
  }
}
