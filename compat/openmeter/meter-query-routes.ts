import { Type } from 'typebox'
import type { HttpApp } from '../../schemas/http/common.ts'
import { jsonNumber } from '../json-number.ts'
import type { OwnQuery, OwnUsage } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { bodyOf } from './bodies.ts'
import { listOf, type Query, textOf } from './lists.ts'
import { BEGINNING } from './meter-routes.ts'

/** Usage of a meter: rows of windows and groups that have usage. */
export async function meterQueryRoutes(app: HttpApp, { own, clock }: VendorKit): Promise<void> {
  const answer = async (wanted: Wanted, usage: (query: OwnQuery) => Promise<OwnUsage>) => {
    const from = wanted.from ?? BEGINNING
    const to = wanted.to ?? new Date(clock.now()).toISOString()
    const { data } = await usage({ ...ownQuery(wanted), from, to })
    const isBySubject = wanted.groupBy.includes('subject') || wanted.subject.length > 0
    const isByCustomer = wanted.groupBy.includes('customer_id') || wanted.filterCustomerId.length > 0
    const names = wanted.groupBy.filter((name) => name !== 'subject' && name !== 'customer_id')
    const rows = data.flatMap(({ windowStart, windowEnd, value, events, customer, dimensions }) =>
      events === 0 || value === null
        ? []
        : {
            ...{ value: jsonNumber(value), windowStart, windowEnd, subject: isBySubject ? (customer ?? null) : null },
            ...(isByCustomer ? { customerId: customer } : {}),
            groupBy: Object.fromEntries(names.map((name) => [name, dimensions?.[name] ?? ''])),
          },
    )
    return { ...asked(wanted), data: rows }
  }

  app.get<Params>('/api/v1/meters/:slug/query', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    return await answer(wantedOf(request.query as Query), (query) => tollgate.usage(request.params.slug, query))
  })
  app.post<Params>('/api/v1/meters/:slug/query', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const body = bodyOf(request, QuerySchema)
    const { filterGroupBy = {}, ...rest } = body
    const filter = Object.fromEntries(Object.entries(filterGroupBy).map(([name, values]) => [`filterGroupBy[${name}]`, values]))
    return await answer(wantedOf({ ...rest, ...filter }), (query) => tollgate.usage(request.params.slug, query))
  })
}

type Params = { Params: { readonly slug: string } }

const Texts = Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())]))
const QuerySchema = Type.Object({
  from: Type.Optional(Type.String()),
  to: Type.Optional(Type.String()),
  windowSize: Type.Optional(Type.String()),
  windowTimeZone: Type.Optional(Type.String()),
  subject: Texts,
  filterCustomerId: Texts,
  groupBy: Texts,
  filterGroupBy: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Array(Type.String())]))),
})

type Wanted = {
  readonly from: string | undefined
  readonly to: string | undefined
  readonly windowSize: string | undefined
  readonly windowTimeZone: string | undefined
  readonly subject: readonly string[]
  readonly filterCustomerId: readonly string[]
  readonly groupBy: readonly string[]
  readonly filter: Readonly<Record<string, readonly string[]>>
}

const WINDOWS: Readonly<Record<string, string>> = { MINUTE: 'minute', HOUR: 'hour', DAY: 'day', MONTH: 'month' }
const GROUP_FILTER = /^filterGroupBy\[(.+)\]$/

function wantedOf(query: Query): Wanted {
  if (textOf(query, 'advancedMeterGroupByFilters') !== undefined) {
    return refuseInput('advancedMeterGroupByFilters', 'advancedMeterGroupByFilters is not served: send filterGroupBy')
  }
  const filter = Object.keys(query).flatMap((name) => {
    const dimension = GROUP_FILTER.exec(name)?.[1]
    return dimension === undefined ? [] : [[dimension, listOf(query, name)] as const]
  })
  return {
    ...{ from: textOf(query, 'from'), to: textOf(query, 'to') },
    ...{ windowSize: textOf(query, 'windowSize'), windowTimeZone: textOf(query, 'windowTimeZone') },
    ...{ subject: listOf(query, 'subject'), filterCustomerId: listOf(query, 'filterCustomerId'), groupBy: listOf(query, 'groupBy') },
    filter: Object.fromEntries(filter),
  }
}

/** A filter on subjects or customers groups by them too. */
function ownQuery({ windowSize, windowTimeZone, subject, filterCustomerId, groupBy, filter }: Wanted): OwnQuery {
  const window = windowSize === undefined ? undefined : WINDOWS[windowSize]
  if (windowSize !== undefined && window === undefined) {
    return refuseInput('windowSize', `windowSize must be one of ${Object.keys(WINDOWS).join(', ')}, was '${windowSize.slice(0, 40)}'`)
  }
  const isByCustomer = [...subject, ...filterCustomerId].length > 0 || groupBy.includes('subject') || groupBy.includes('customer_id')
  const names = groupBy.filter((name) => name !== 'subject' && name !== 'customer_id')
  const customer = [...subject, ...filterCustomerId]
  return {
    ...{ window, timezone: windowTimeZone },
    ...(customer.length === 0 ? {} : { customer }),
    groupBy: [...(isByCustomer ? ['customer'] : []), ...names].join(','),
    ...Object.fromEntries(Object.entries(filter).map(([name, values]) => [`filter[${name}]`, values])),
  }
}

function asked({ from, to, windowSize }: Wanted) {
  return {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(windowSize === undefined ? {} : { windowSize }),
  }
}
