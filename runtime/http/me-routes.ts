import type { preHandlerHookHandler, RouteOptions } from 'fastify'
import { type TokenScope, tokenCustomer } from '../../domain/principal.ts'
import { RefusalError, refuseFields } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route is also served under `/v1/me`, to the holder of a customer token, about the token's customer. */
    asMe?: AsMe
  }
}

export type AsMe = {
  readonly url: string
  readonly scope: TokenScope
  readonly operationId: string
  /** The query parameter that stands there for the key in the path here. */
  readonly keyFrom?: string
  /** Query parameters that only keys may send. */
  readonly withoutQuery?: readonly string[]
}

/**
 * The route under `/v1/me` is the very route that names a customer, without a place for the customer: it is put there from the
 * token. So the two cannot answer differently, and no request can name another customer.
 */
export function serveAsMe(app: HttpApp): void {
  app.addHook('onRoute', function (this: HttpApp, route: RouteOptions) {
    const { asMe, scope: _scope, ...config } = route.config ?? {}
    // The server adds a HEAD to each GET by itself, to this one too.
    if (asMe === undefined || route.method === 'HEAD') return
    const place = placeOf(route)
    // A part that is there and undefined would be a part without bounds.
    const parts = Object.entries(withoutCustomer(route.schema as RouteSchema, place, asMe)).filter(([, part]) => part !== undefined)
    const schema = Object.fromEntries(parts)
    this.route({
      ...{ method: route.method, url: asMe.url, handler: route.handler, schema },
      ...(route.serializerCompiler && { serializerCompiler: route.serializerCompiler }),
      config: { ...config, tokenScope: asMe.scope },
      preHandler: [putCustomer(place, asMe), ...[route.preHandler ?? []].flat()],
    } as never)
  } as never)
}

type Schema = { readonly properties?: Readonly<Record<string, { readonly type?: string }>>; readonly required?: readonly string[] }
type RouteSchema = { readonly params?: Schema; readonly querystring?: Schema; readonly body?: Schema; readonly tags?: readonly string[] }
type Place = { readonly part: 'params' | 'querystring' | 'body'; readonly field: string; readonly isList: boolean }

/** Where the route takes its customer. */
function placeOf({ url, schema }: RouteOptions): Place {
  const { querystring, body } = (schema ?? {}) as RouteSchema
  if (url.startsWith('/v1/customers/:key')) return { part: 'params', field: 'key', isList: false }
  const inQuery = querystring?.properties?.customer
  if (inQuery !== undefined) return { part: 'querystring', field: 'customer', isList: inQuery.type === 'array' }
  if (body?.properties?.customer !== undefined) return { part: 'body', field: 'customer', isList: false }
  throw new Error(`${url} names no customer, so it cannot be served as /v1/me`)
}

function withoutCustomer(schema: RouteSchema, { part, field }: Place, { operationId, keyFrom, withoutQuery = [] }: AsMe): object {
  const named = { ...schema, querystring: without(schema.querystring, ...withoutQuery) }
  const described = { ...named, tags: ['me'], operationId, [part]: without(named[part], field) }
  if (keyFrom === undefined) return described
  const { querystring } = described
  const { properties = {}, required = [] } = querystring ?? {}
  const key = schema.params?.properties?.key
  return {
    ...described,
    params: without(schema.params, 'key'),
    querystring: { ...querystring, properties: { [keyFrom]: key, ...properties }, required: [keyFrom, ...required] },
  }
}

function without(schema: Schema | undefined, ...fields: readonly string[]): Schema | undefined {
  if (schema === undefined) return undefined
  const properties = Object.fromEntries(Object.entries(schema.properties ?? {}).filter(([name]) => !fields.includes(name)))
  if (Object.keys(properties).length === 0) return undefined
  return { ...schema, properties, required: (schema.required ?? []).filter((name) => !fields.includes(name)) }
}

function putCustomer({ part, field, isList }: Place, { keyFrom }: AsMe): preHandlerHookHandler {
  return (request, _reply, done) => {
    const query = request.query as Record<string, unknown>
    const params = request.params as Record<string, unknown>
    if (keyFrom !== undefined) {
      params.key = query[keyFrom]
      delete query[keyFrom]
    }
    const customer = tokenCustomer(request.principal)
    const holder = part === 'querystring' ? query : part === 'params' ? params : (request.body as Record<string, unknown>)
    if (Object.hasOwn(holder, field) && part !== 'params') {
      const detail = `there is no ${field} to name here: the token says whose this is`
      return done(new RefusalError(refuseFields('invalid_request', [{ field, code: 'unknown_parameter', detail }])))
    }
    holder[field] = isList ? [customer] : customer
    done()
  }
}
