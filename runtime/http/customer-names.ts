import type { FastifyRequest, RouteOptions } from 'fastify'
import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { CustomerKey, TenantKey } from '../../domain/identity.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import type { CustomerNames } from '../../usage/customer-names.ts'

/**
 * Wherever a route takes a customer (in its path, in `customer` of the query or the body) it is given the customer's key,
 * also where the caller has sent one of its subjects. Events are resolved by their own time, where they are taken in.
 */
export function resolveCustomerNames(app: HttpApp, names: Pick<CustomerNames, 'resolve'>, clock: Pick<Clock, 'now'>): void {
  app.addHook('onRoute', (route) => {
    const places = placesOf(route)
    if (places.length === 0) return
    const resolve = (request: FastifyRequest, _reply: unknown, done: (error?: Error) => void) => {
      const pending = places.flatMap((place) => resolvePlace(names, request, place, clock))
      if (pending.length === 0) done()
      else Promise.all(pending).then(() => done(), done)
    }
    route.preHandler = [...[route.preHandler ?? []].flat(), resolve]
  })
}

type Place = 'params.key' | 'query.customer' | 'body.customer'

function placesOf({ url, method, schema }: RouteOptions): readonly Place[] {
  const has = (part: unknown) => Object.hasOwn((part as { properties?: object } | undefined)?.properties ?? {}, 'customer')
  // A customer that is put claims its key: one that is the subject of another is refused, not changed.
  const isPut = url === '/v1/customers/:key' && [method].flat().includes('PUT')
  return [
    ...(url.startsWith('/v1/customers/:key') && !isPut ? (['params.key'] as const) : []),
    ...(has(schema?.querystring) ? (['query.customer'] as const) : []),
    ...(has(schema?.body) ? (['body.customer'] as const) : []),
  ]
}

function resolvePlace(
  names: Pick<CustomerNames, 'resolve'>,
  request: FastifyRequest,
  place: Place,
  clock: Pick<Clock, 'now'>,
): readonly Promise<void>[] {
  const [part, field] = PARTS[place]
  const holder = request[part] as Record<string, unknown>
  const put = (customer: unknown) => {
    holder[field] = customer
  }
  const given = holder[field]
  const { tenant } = request.principal
  if (Array.isArray(given)) {
    return [Promise.all(given.map((name: string) => resolveOne(names, tenant, name, clock))).then((keys) => put([...new Set(keys)]))]
  }
  if (typeof given !== 'string') return []
  const customer = resolveOne(names, tenant, given, clock)
  if (customer instanceof Promise) return [customer.then(put)]
  put(customer)
  return []
}

const PARTS = {
  'params.key': ['params', 'key'],
  'query.customer': ['query', 'customer'],
  'body.customer': ['body', 'customer'],
} as const

/** While the catalog is away a name that is not known stands for itself: decisions go by what is known of that customer. */
function resolveOne(names: Pick<CustomerNames, 'resolve'>, tenant: TenantKey, name: string, clock: Pick<Clock, 'now'>) {
  const customer = names.resolve(tenant, name, clock.now())
  if (!(customer instanceof Promise)) return customer
  return customer.catch((error: unknown) => {
    if (error instanceof Fault && error.canRetry) return name as CustomerKey
    throw error
  })
}
