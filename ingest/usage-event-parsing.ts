import type { CustomerKey, InstantMs } from '../domain/identity.ts'
import { findJsonDefect, holdsLoneSurrogate } from '../domain/metering/json-defect.ts'
import { EVENT_TYPE_CHARS_MAX, type UsageEvent } from '../domain/metering/usage-event.ts'
import { RESERVED_TYPE_PREFIX, USAGE_REPORT_SOURCE } from '../domain/metering/usage-report.ts'
import { isRefusal, type Outcome, type Refusal, refuse } from '../domain/refusal.ts'
import { parseEventTime } from './event-time.ts'

export type ParseContext = {
  /** The time of an event that brings none. */
  readonly receivedAtMs: InstantMs
  readonly earliestMs: InstantMs
  readonly latestMs: InstantMs
  /** The customer that has this subject; null when none has it, and then it is the key of a customer itself. */
  readonly customerOf: (subject: string) => CustomerKey | null
}

export const ID_CHARS_MAX = 256
export const SOURCE_CHARS_MAX = 256
export const SUBJECT_CHARS_MAX = 256
export const DATA_BYTES_MAX = 64 * 1024
export const ATTRIBUTES_BYTES_MAX = 16 * 1024

/**
 * A usage event from one parsed JSON value, or why it is refused; the first reason wins. Pure.
 * Plain code and no schema validator: this runs for every event.
 */
export function parseUsageEvent(input: unknown, context: ParseContext): Outcome<UsageEvent> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return refuse('invalid_event', `The event is ${shown(input)}, not a JSON object. Send {"id", "type", "customer", "data"}.`)
  }
  const event = input as Readonly<Record<string, unknown>>
  const { id, type, specversion } = event
  const source = event.source ?? 'default'
  const wrongText =
    wrongString('id', id, ID_CHARS_MAX, true) ??
    wrongString('type', type, EVENT_TYPE_CHARS_MAX, true) ??
    wrongString('source', source, SOURCE_CHARS_MAX, false)
  if (wrongText !== undefined) return wrongText
  if ((type as string).startsWith(RESERVED_TYPE_PREFIX)) return reservedType(type as string)
  if (source === USAGE_REPORT_SOURCE) return reservedSource()
  if (specversion !== undefined && specversion !== null && specversion !== '1.0') {
    return refuse(
      'unsupported_specversion',
      `specversion is ${shown(specversion)}; only "1.0" is understood. Send CloudEvents 1.0, or leave it out.`,
    )
  }
  const customer = customerFrom(event.customer ?? undefined, event.subject ?? undefined, context)
  if (typeof customer === 'object') return customer
  const occurredAtMs = timeFrom(event.time ?? undefined, context)
  if (typeof occurredAtMs === 'object') return occurredAtMs
  const data = jsonFrom('data', event.data, DATA_BYTES_MAX)
  if (typeof data === 'object') return data
  const unknown = unknownAttributes(event)
  if (isRefusal(unknown)) return unknown
  const attributes = unknown === null ? null : jsonFrom('attributes', unknown, ATTRIBUTES_BYTES_MAX)
  if (attributes !== null && typeof attributes === 'object') return attributes
  const subject = typeof event.subject === 'string' && event.subject !== customer ? event.subject : null
  return { id: id as string, source: source as string, type: type as string, customer, subject, occurredAtMs, data, attributes }
}

/** A value as it may stand in a message: short, and never more of a payload than names it. */
export function shown(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 40 ? `${JSON.stringify(value.slice(0, 40).toWellFormed())}…` : JSON.stringify(value.toWellFormed())
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  return value === undefined ? 'missing' : `${value}`
}

const KEY = /^[A-Za-z0-9._:@/+-]{1,128}$/

function wrongString(field: string, value: unknown, charsMax: number, isRequired: boolean): Refusal | undefined {
  if (typeof value === 'string' && value.length > 0 && value.length <= charsMax && value.isWellFormed()) return undefined
  if (isRequired && (value === undefined || value === null || value === '')) {
    return refuse(`missing_${field}`, `${field} is ${value === '' ? 'empty' : 'missing'}. Send a string of 1 to ${charsMax} characters.`)
  }
  if (typeof value !== 'string')
    return refuse(`invalid_${field}`, `${field} is ${shown(value)}. Send a string of 1 to ${charsMax} characters.`)
  if (value === '') return refuse(`invalid_${field}`, `${field} is empty. Send 1 to ${charsMax} characters, or leave it out.`)
  if (value.length > charsMax) {
    return refuse(
      `${field}_too_long`,
      `${field} ${shown(value)} has ${value.length} characters; at most ${charsMax} are kept. Send a shorter one.`,
    )
  }
  return refuse('lone_surrogate', `${field} ${shown(value)} holds half of a surrogate pair, which is no text. Send whole characters.`)
}

function reservedType(type: string): Refusal {
  return refuse(
    'reserved_type',
    `type ${shown(type)} starts with "${RESERVED_TYPE_PREFIX}", which is Tollgate's own. Send another type, or report usage with POST /v1/usage.`,
  )
}

/** An event with the source and id of a settlement to come would make the settlement a repeat. */
function reservedSource(): Refusal {
  return refuse('reserved_source', `source "${USAGE_REPORT_SOURCE}" is Tollgate's own. Send another source, or leave it out.`)
}

function customerFrom(customer: unknown, subject: unknown, context: ParseContext): CustomerKey | Refusal {
  if (customer === undefined && subject === undefined) {
    return refuse('missing_subject', 'Neither customer nor subject is there. Send the key of a customer, or one of its subjects.')
  }
  if (customer !== undefined) {
    if (typeof customer !== 'string' || !KEY.test(customer)) return badKey('customer', 'invalid_customer', customer)
    if (subject !== undefined && subject !== customer) {
      return refuse('subject_and_customer', `customer is ${shown(customer)} and subject ${shown(subject)}. Send one of them.`)
    }
    return customer as CustomerKey
  }
  const wrong = wrongString('subject', subject, SUBJECT_CHARS_MAX, true)
  if (wrong !== undefined) return wrong
  const found = context.customerOf(subject as string)
  if (found !== null) return found
  if (!KEY.test(subject as string)) return badKey('subject', 'unknown_subject', subject)
  return subject as CustomerKey
}

function badKey(field: string, code: string, value: unknown): Refusal {
  const what = code === 'unknown_subject' ? 'no customer has it, and it cannot be the key of a new one' : 'it is not a key'
  return refuse(code, `${field} is ${shown(value)}: ${what}. A key has 1 to 128 of A-Z a-z 0-9 . _ : @ / + -`)
}

function timeFrom(time: unknown, context: ParseContext): InstantMs | Refusal {
  if (time === undefined) return context.receivedAtMs
  const occurredAtMs = typeof time === 'string' ? parseEventTime(time) : undefined
  if (occurredAtMs === undefined) {
    return refuse(
      'invalid_time',
      `time is ${shown(time)}. Send ISO 8601 with seconds and an offset, such as 2026-07-01T09:30:00.123Z, or leave it out.`,
    )
  }
  if (occurredAtMs < context.earliestMs) return outOfTime('event_too_old', 'before', time, context.earliestMs)
  if (occurredAtMs > context.latestMs) return outOfTime('event_too_far_ahead', 'after', time, context.latestMs)
  return occurredAtMs
}

function outOfTime(code: string, side: string, time: unknown, limitMs: InstantMs): Refusal {
  const limit = new Date(limitMs).toISOString()
  return refuse(
    code,
    `time ${shown(time)} is ${side} ${limit}, the limit now. Correct it, or send it with ?backfill=true and an admin key.`,
  )
}

function jsonFrom(field: 'data' | 'attributes', value: unknown, bytesMax: number): string | Refusal {
  if (value === undefined) return '{}'
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(`invalid_${field}`, `${field} is ${shown(value)}, not a JSON object. Send an object, or leave it out.`)
  }
  const defect = findJsonDefect(value, field)
  if (defect !== undefined) return refuse(defect.code, defect.detail)
  const json = JSON.stringify(value)
  if (holdsLoneSurrogate(json)) {
    return refuse('lone_surrogate', `A string in ${field} holds half of a surrogate pair, which is no text. Send whole characters.`)
  }
  // A character takes at most 3 bytes, so that short ones need no counting.
  if (json.length * 3 > bytesMax) {
    const bytes = Buffer.byteLength(json)
    if (bytes > bytesMax) {
      return refuse(
        `${field}_too_large`,
        `${field} takes ${bytes} bytes as JSON; at most ${bytesMax} are kept. Send what is metered, and a link to the rest.`,
      )
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
      case 'specversion':
        break
      case '__proto__':
        return refuse('forbidden_key', 'The event has a key __proto__, which is not kept. Rename it.')
      default:
        attributes ??= {}
        attributes[key] = event[key]
    }
  }
  return attributes
}
