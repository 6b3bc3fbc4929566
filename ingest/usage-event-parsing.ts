import { CUSTOMER_NAME_CHARS_MAX, isCustomerName } from '../domain/catalog/customer-name.ts'
import type { CustomerKey, InstantMs } from '../domain/identity.ts'
import { findJsonDefect, holdsLoneSurrogate } from '../domain/metering/json-defect.ts'
import { EVENT_SOURCE_DEFAULT, EVENT_TYPE_CHARS_MAX, type UsageEvent } from '../domain/metering/usage-event.ts'
import { RESERVED_TYPE_PREFIX, USAGE_REPORT_SOURCE } from '../domain/metering/usage-report.ts'
import { isRefusal, type Outcome, type Refusal, refuse } from '../domain/refusal.ts'
import { parseInstantText } from '../domain/time/instant-text.ts'
import { INGEST_BOUNDS } from './ingest-bounds.ts'

export type ParseContext = {
  /** The time of an event without one. */
  readonly receivedAtMs: InstantMs
  readonly earliestMs: InstantMs
  readonly latestMs: InstantMs
  /** How far the sender's clock is ahead: times that it gives are put back by as much. */
  readonly clockAheadMs: number
  /** The customer that an event with this name belongs to. */
  readonly customerOf: (name: string, occurredAtMs: InstantMs, event: Readonly<Record<string, unknown>>) => CustomerKey
}

export const ID_CHARS_MAX = 256
export const SOURCE_CHARS_MAX = 256
export const DATA_BYTES_MAX = INGEST_BOUNDS.data.most
export const ATTRIBUTES_BYTES_MAX = INGEST_BOUNDS.attributes.most

/**
 * A usage event from one parsed JSON value, or why it is refused; the first reason wins. Pure. Plain code and no schema
 * validator, as this runs for every event.
 */
export function parseUsageEvent(input: unknown, context: ParseContext): Outcome<UsageEvent> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return refuse('invalid_event', { value: shown(input) })
  }
  const event = input as Readonly<Record<string, unknown>>
  const { id, type, specversion } = event
  const source = event.source ?? EVENT_SOURCE_DEFAULT
  const wrongText =
    wrongString('id', id, ID_CHARS_MAX) ??
    wrongString('type', type, EVENT_TYPE_CHARS_MAX) ??
    wrongString('source', source, SOURCE_CHARS_MAX)
  if (wrongText !== undefined) return wrongText
  if ((type as string).startsWith(RESERVED_TYPE_PREFIX)) return refuse('reserved_type', { type: shown(type), prefix: RESERVED_TYPE_PREFIX })
  // An event with the source and id of a later settlement would make the settlement a repeat.
  if (source === USAGE_REPORT_SOURCE) return refuse('reserved_source', { source })
  if (specversion !== undefined && specversion !== null && specversion !== '1.0') {
    return refuse('unsupported_specversion', { value: shown(specversion) })
  }
  const name = nameFrom(event.customer ?? undefined, event.subject ?? undefined)
  if (typeof name === 'object') return name
  const occurredAtMs = timeFrom(event.time ?? undefined, context)
  if (typeof occurredAtMs === 'object') return occurredAtMs
  const customer = context.customerOf(name, occurredAtMs, event)
  const data = dataFrom(event.data, event.data_base64)
  if (typeof data === 'object') return data
  const unknown = unknownAttributes(event)
  if (isRefusal(unknown)) return unknown
  const attributes = unknown === null ? null : keptJson('attributes', unknown, ATTRIBUTES_BYTES_MAX)
  if (attributes !== null && typeof attributes === 'object') return attributes
  const subject = name === (customer as string) ? null : name
  return { id: id as string, source: source as string, type: type as string, customer, subject, occurredAtMs, data, attributes }
}

/** A value for a message: shortened, so that it never shows more of a payload than it needs to name it. */
export function shown(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 40 ? `${JSON.stringify(value.slice(0, 40).toWellFormed())}…` : JSON.stringify(value.toWellFormed())
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  return value === undefined ? 'missing' : `${value}`
}

/** The codes of a text that is missing (null: it may be), is not a text, or is too long. */
const TEXT_CODES = {
  id: { missing: 'missing_id', invalid: 'invalid_id', tooLong: 'id_too_long' },
  type: { missing: 'missing_type', invalid: 'invalid_type', tooLong: 'type_too_long' },
  source: { missing: null, invalid: 'invalid_source', tooLong: 'source_too_long' },
  subject: { missing: 'missing_subject', invalid: 'invalid_subject', tooLong: 'subject_too_long' },
} as const

function wrongString(field: keyof typeof TEXT_CODES, value: unknown, charactersMax: number): Refusal | undefined {
  if (typeof value === 'string' && value.length > 0 && value.length <= charactersMax && value.isWellFormed()) return undefined
  const { missing, invalid, tooLong } = TEXT_CODES[field]
  if (missing !== null && (value === undefined || value === null || value === '')) {
    return refuse(missing, { field, isEmpty: value === '', charactersMax })
  }
  if (typeof value !== 'string' || value === '') return refuse(invalid, { field, value: shown(value), charactersMax })
  if (value.length > charactersMax) {
    return refuse(tooLong, { field, value: shown(value), characters: value.length, charactersMax })
  }
  return refuse('lone_surrogate', { field, value: shown(value) })
}

function nameFrom(customer: unknown, subject: unknown): string | Refusal {
  const name = customer ?? subject
  if (name === undefined) return refuse('missing_subject', { neither: true })
  if (customer !== undefined && subject !== undefined && subject !== customer) {
    return refuse('subject_and_customer', { customer: shown(customer), subject: shown(subject) })
  }
  if (typeof name === 'string' && isCustomerName(name)) return name
  if (customer !== undefined) return refuse('invalid_customer', { value: shown(name) })
  return wrongString('subject', name, CUSTOMER_NAME_CHARS_MAX) ?? invalidSubject(name)
}

function invalidSubject(name: unknown): Refusal {
  return refuse('invalid_subject', { field: 'subject', value: shown(name), charactersMax: CUSTOMER_NAME_CHARS_MAX })
}

function timeFrom(time: unknown, context: ParseContext): InstantMs | Refusal {
  if (time === undefined) return context.receivedAtMs
  const givenMs = typeof time === 'string' ? parseInstantText(time) : undefined
  if (givenMs === undefined) {
    return refuse('invalid_time', { field: 'time', value: shown(time), of: 'event' })
  }
  const occurredAtMs = (givenMs - context.clockAheadMs) as InstantMs
  if (occurredAtMs < context.earliestMs) return refuse('event_too_old', { time: shown(time), limitMs: context.earliestMs })
  if (occurredAtMs > context.latestMs) return refuse('event_too_far_ahead', { time: shown(time), limitMs: context.latestMs })
  return occurredAtMs
}

/** Null counts as unset, as for every attribute of a CloudEvent. */
function dataFrom(plain: unknown, base64: unknown): string | Refusal {
  const value = base64 === undefined || base64 === null ? plain : decodedData(plain, base64)
  if (isRefusal(value)) return value
  if (value === undefined || value === null) return '{}'
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return keptJson('data', value, DATA_BYTES_MAX)
  return refuse('invalid_data', { value: shown(value) })
}

/** CloudEvents' JSON format has binary data in `data_base64`; meters read JSON. */
function decodedData(plain: unknown, base64: unknown): unknown {
  if (plain !== undefined && plain !== null) return refuse('invalid_data', { value: 'sent twice, as data and as data_base64' })
  const isBase64 = typeof base64 === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(base64) && base64.length % 4 === 0
  try {
    if (isBase64) return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(base64, 'base64')))
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error
  }
  return refuse('invalid_data', { value: 'data_base64 that holds no JSON' })
}

function keptJson(field: 'data' | 'attributes', value: object, bytesMax: number): string | Refusal {
  const defect = findJsonDefect(value, field)
  if (defect !== undefined) return defect
  const json = JSON.stringify(value)
  if (holdsLoneSurrogate(json)) return refuse('lone_surrogate', { field, value: null })
  // A character takes at most 3 bytes, so that short ones need no counting.
  if (json.length * 3 > bytesMax) {
    const bytes = Buffer.byteLength(json)
    if (bytes > bytesMax) {
      return refuse(field === 'data' ? 'data_too_large' : 'attributes_too_large', { bytes, bytesMax })
    }
  }
  return json
}

function unknownAttributes(event: Readonly<Record<string, unknown>>): Record<string, unknown> | null | Refusal {
  let attributes: Record<string, unknown> | null = null
  for (const key in event) {
    switch (key) {
      case 'id':
      case 'source':
      case 'type':
      case 'subject':
      case 'customer':
      case 'time':
      case 'data':
      case 'data_base64':
      case 'specversion':
        break
      case '__proto__':
        return refuse('forbidden_key', { path: null })
      default:
        attributes ??= {}
        attributes[key] = event[key]
    }
  }
  return attributes
}
