import type { FastifyRequest, preHandlerHookHandler, RouteOptions } from 'fastify'
import type { Narrowing } from '../../../domain/principal.ts'
import { RefusalError, refuse } from '../../../domain/refusal.ts'
import type { HttpApp } from '../../../schemas/http/common.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route itself holds narrowed keys to what they are for, as its requests are about many things. */
    isNarrowedByItself?: boolean
  }
}

/**
 * A narrowed key is let through where the request says that it is about what the key is for, and nowhere else: a route that names
 * no customer is closed to a key of some customers, so that a new route is closed until somebody has thought about it. After
 * names of customers are resolved, as a key lists customers by their own keys.
 */
export function holdNarrowedKeys(app: HttpApp): void {
  app.addHook('onRoute', (route) => {
    const { scope, isNarrowedByItself = false } = route.config ?? {}
    if (scope === undefined || isNarrowedByItself) return
    const named = namedBy(route)
    const hold: preHandlerHookHandler = (request, _reply, done) => {
      const { only } = request.principal ?? {}
      if (only !== undefined) check(only, named, request)
      done()
    }
    route.preHandler = [...[route.preHandler ?? []].flat(), hold]
  })
}

/** Throws `narrowed_key` unless the request is about what the key is for. */
function check({ customers, eventTypes, features }: Narrowing, named: Named, request: FastifyRequest): void {
  if (customers !== undefined) requireOneOf('customer', customers, valuesAt(request, named.customers))
  if (eventTypes === undefined && features === undefined) return
  const types = valuesAt(request, named.eventTypes)
  const known = valuesAt(request, named.features)
  if (types.length > 0 && eventTypes !== undefined) requireOneOf('event type', eventTypes, types)
  else if (features !== undefined) requireOneOf('feature', features, known)
  else requireOneOf('event type', eventTypes ?? [], types)
}

function requireOneOf(what: 'customer' | 'event type' | 'feature', only: readonly string[], values: readonly string[]): void {
  const outside = values.length === 0 ? null : values.find((value) => !only.includes(value))
  if (outside !== undefined) throw new RefusalError(refuse('narrowed_key', { what, value: outside, only }))
}

type Path = readonly string[]
/** Where the requests of a route say what they are about. */
type Named = { readonly customers: readonly Path[]; readonly eventTypes: readonly Path[]; readonly features: readonly Path[] }

type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly items?: Schema }

function namedBy({ url, schema }: RouteOptions): Named {
  const parts = (schema ?? {}) as Readonly<Record<'params' | 'querystring' | 'body', Schema | undefined>>
  const has = (part: 'params' | 'querystring' | 'body', ...path: string[]): readonly Path[] => {
    let at: Schema | undefined = parts[part]
    for (const field of path) at = field === EACH ? at?.items : at?.properties?.[field]
    return at === undefined ? [] : [[part === 'querystring' ? 'query' : part, ...path]]
  }
  return {
    customers: [
      ...(url.startsWith('/v1/customers/:key') ? has('params', 'key') : []),
      ...has('querystring', 'customer'),
      ...has('body', 'customer'),
    ],
    eventTypes: has('querystring', 'type'),
    features: [
      ...has('params', 'feature'),
      ...has('body', 'feature'),
      ...has('body', 'features', EACH, 'feature'),
      ...has('body', 'holds', EACH, 'feature'),
    ],
  }
}

/** Stands for every item of a list. */
const EACH = '[]'

function valuesAt(request: FastifyRequest, paths: readonly Path[]): readonly string[] {
  return paths.flatMap((path) => {
    let values: readonly unknown[] = [request]
    for (const field of path) {
      values = values.flatMap((value) => (field === EACH ? value : ((value as Record<string, unknown> | undefined)?.[field] ?? [])))
    }
    return values.flat().filter((value) => typeof value === 'string')
  })
}
