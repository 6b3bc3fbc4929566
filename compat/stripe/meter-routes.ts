import type { HttpApp } from '../../schemas/http/common.ts'
import { jsonNumber } from '../json-number.ts'
import { type OwnMeter, unlessRefused } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { type VendorRecord, vendorRecords } from '../vendor-records.ts'
import { type Form, formIn, neededText, queryForm, textIn, wholeIn } from './forms.ts'
import { listJson, secondsOf } from './lists.ts'

export type MeterData = {
  readonly display_name: string
  readonly event_time_window: string | null
  readonly customerKey: string
  readonly valueKey: string
  readonly deactivated_at: number | null
}

export function meterRecords({ records }: VendorKit) {
  return vendorRecords<MeterData>(records, 'stripe', 'meter')
}

/** The key of the meter, and of the metered feature by which it is charged and limited. */
export function meterKey(eventName: string): string {
  return `mtr_${eventName}`
}

/** Meters: each is known by the event that it reads. */
export async function meterRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own, clock } = kit
  const meters = meterRecords(kit)

  app.post('/v1/billing/meters', { config: ANY_KEY }, async (request) => {
    const form = (request.body ?? {}) as Form
    const eventName = neededText(form, 'event_name')
    const formula = neededText(formIn(form, 'default_aggregation'), 'formula')
    const aggregation =
      AGGREGATIONS[formula] ??
      refuseInput('default_aggregation[formula]', `formula must be sum, count or last, was '${formula.slice(0, 40)}'`)
    const data: MeterData = {
      ...{
        display_name: neededText(form, 'display_name'),
        event_time_window: textIn(form, 'event_time_window') ?? null,
        deactivated_at: null,
      },
      customerKey: textIn(formIn(form, 'customer_mapping'), 'event_payload_key') ?? 'stripe_customer_id',
      valueKey: textIn(formIn(form, 'value_settings'), 'event_payload_key') ?? 'value',
    }
    const key = meterKey(eventName)
    const tollgate = own(request)
    const known = await unlessRefused(tollgate.meter(key), 'unknown_meter')
    const before = await meters.get(request.principal.tenant, key)
    if (known !== null && before?.data.deactivated_at == null) {
      return refuseInput('event_name', `A meter with the event name '${eventName}' is active already`)
    }
    const meter = await tollgate.putMeter(key, {
      ...{ eventType: eventName, aggregation, allowNegative: true },
      ...(aggregation === 'count' ? { allowNegative: false } : { value: `["${data.valueKey}"]` }),
    })
    await tollgate.putFeature(key, { type: 'metered', meter: key, name: data.display_name })
    return meterJson(meter, await meters.put(request.principal.tenant, key, data))
  })

  app.get('/v1/billing/meters', { config: ANY_KEY }, async (request) => {
    const form = queryForm(request.query)
    const { data } = await own(request).meters({ limit: METERS_MAX })
    const known = await meters.getAll(
      request.principal.tenant,
      data.map(({ key }) => key),
    )
    const status = textIn(form, 'status')
    const shown = data
      .map((meter) => meterJson(meter, known.get(meter.key) ?? null))
      .filter((meter) => status === undefined || meter.status === status)
    return listJson(
      '/v1/billing/meters',
      form,
      shown.toSorted((a, b) => b.created - a.created || (a.id < b.id ? 1 : -1)),
    )
  })

  app.get<Params>('/v1/billing/meters/:id', { config: ANY_KEY }, async (request) => {
    const meter = await own(request).meter(request.params.id)
    return meterJson(meter, await meters.get(request.principal.tenant, meter.key))
  })

  app.post<Params>('/v1/billing/meters/:id', { config: ANY_KEY }, async (request) => {
    const meter = await own(request).meter(request.params.id)
    const data = (await meters.get(request.principal.tenant, meter.key))?.data ?? dataOf(meter)
    const name = textIn((request.body ?? {}) as Form, 'display_name') ?? data.display_name
    return meterJson(meter, await meters.put(request.principal.tenant, meter.key, { ...data, display_name: name }))
  })

  for (const verb of ['deactivate', 'reactivate'] as const) {
    app.post<Params>(`/v1/billing/meters/:id/${verb}`, { config: ANY_KEY }, async (request) => {
      const meter = await own(request).meter(request.params.id)
      const data = (await meters.get(request.principal.tenant, meter.key))?.data ?? dataOf(meter)
      const deactivated_at = verb === 'deactivate' ? Math.floor(clock.now() / 1_000) : null
      return meterJson(meter, await meters.put(request.principal.tenant, meter.key, { ...data, deactivated_at }))
    })
  }

  app.get<Params>('/v1/billing/meters/:id/event_summaries', { config: ANY_KEY }, async (request) => {
    const form = queryForm(request.query)
    const customer = neededText(form, 'customer')
    const window = windowOf(textIn(form, 'value_grouping_window'))
    const [from, to] = ['start_time', 'end_time'].map((name) => wholeTime(form, name, window?.seconds ?? 60)) as [number, number]
    const tollgate = own(request)
    const { key } = await tollgate.meter(request.params.id)
    const iso = (seconds: number) => new Date(seconds * 1_000).toISOString()
    const { data } = await tollgate.usage(key, { customer, from: iso(from), to: iso(to), window: window?.name })
    const summaries = data.map(({ windowStart, windowEnd, value }) => {
      const [start_time, end_time] = window === null ? [from, to] : [secondsOf(windowStart), secondsOf(windowEnd)]
      return {
        ...{ id: `mtrusg_${start_time}_${end_time}`, object: 'billing.meter_event_summary', aggregated_value: jsonNumber(value ?? '0') },
        ...{ start_time, end_time, meter: key, livemode: false },
      }
    })
    return listJson(`/v1/billing/meters/${key}/event_summaries`, form, summaries.toReversed())
  })
}

type Params = { Params: { readonly id: string } }
const METERS_MAX = 1_000
const AGGREGATIONS: Readonly<Record<string, 'sum' | 'count' | 'latest'>> = { sum: 'sum', count: 'count', last: 'latest' }
const WINDOWS = { hour: { name: 'hour', seconds: 3_600 }, day: { name: 'day', seconds: 86_400 } } as const

function windowOf(text: string | undefined) {
  if (text === undefined) return null
  return text === 'hour' || text === 'day'
    ? WINDOWS[text]
    : refuseInput('value_grouping_window', `value_grouping_window must be hour or day, was '${text.slice(0, 40)}'`)
}

function wholeTime(form: Form, name: string, of: number): number {
  const at = wholeIn(form, name) ?? refuseInput(name, `Missing required param: ${name}.`, 'missing')
  return at >= 0 && at < 4_000_000_000 && at % of === 0
    ? at
    : refuseInput(name, `${name} must be a whole ${of === 60 ? 'minute' : of === 3_600 ? 'hour' : 'day'} in Unix seconds, was ${at}`)
}

/** Of a meter that was not made through Stripe's shape. */
function dataOf({ key, value }: OwnMeter): MeterData {
  const first = [value ?? []].flat()[0] ?? 'value'
  return {
    display_name: key,
    event_time_window: null,
    customerKey: 'stripe_customer_id',
    valueKey: first.replace(/^\["(.*)"\]$/, '$1'),
    deactivated_at: null,
  }
}

function meterJson(meter: OwnMeter, record: VendorRecord<MeterData> | null) {
  const { display_name, event_time_window, customerKey, valueKey, deactivated_at } = record?.data ?? dataOf(meter)
  const formula = Object.keys(AGGREGATIONS).find((name) => AGGREGATIONS[name] === meter.aggregation) ?? meter.aggregation
  return {
    ...{ id: meter.key, object: 'billing.meter', created: secondsOf(meter.createdAt), updated: secondsOf(meter.updatedAt), display_name },
    ...{ event_name: meter.eventType, event_time_window, livemode: false, status: deactivated_at === null ? 'active' : 'inactive' },
    customer_mapping: { type: 'by_id', event_payload_key: customerKey },
    default_aggregation: { formula },
    value_settings: { event_payload_key: valueKey },
    status_transitions: { deactivated_at },
  }
}
