import type { FieldProblem, FieldsOf, RefusalRows } from './refusal-row.ts'

/** Why one event is refused, alone or as the first of a request. A `value` is already shortened for display. */
const EVENT_REFUSALS_OF_ONE = {
  invalid_event: {
    ...event('An event is not a JSON object.', 'Send `{"id", "type", "customer", "data"}`.'),
    detail: ({ value }: { value: string }) => `The event is ${value}, not a JSON object. Send {"id", "type", "customer", "data"}.`,
  },
  event_too_large: {
    ...event('An event has too many bytes.', 'Send what is metered, and a link to the rest.'),
    detail: ({ bytesMax }: { bytesMax: number }) =>
      `The event has more than ${bytesMax} bytes as JSON. Send what is metered, and a link to the rest.`,
  },
  missing_id: { ...event('An event has no id.', 'Give each its own.'), detail: sayMissing },
  missing_type: { ...event('An event has no type.', 'Send the type that meters select it by.'), detail: sayMissing },
  missing_subject: {
    ...event('An event names no customer.', 'Send the key of a customer, or one of its subjects.'),
    detail: (text: MissingText | { readonly neither: true }) =>
      'neither' in text ? 'Neither customer nor subject is there. Send the key of a customer, or one of its subjects.' : sayMissing(text),
  },
  invalid_id: { ...event('The id of an event is not a string.', 'Send a string.'), detail: sayInvalid },
  invalid_source: {
    ...event('The source of an event is not a string, or is empty.', 'Send a string, or leave it out.'),
    detail: sayInvalid,
  },
  invalid_subject: {
    ...event('The subject of an event can be no name.', 'Send a subject of a customer, or its key.'),
    detail: ({ value }: { field: string; value: string; charactersMax: number }) => `subject is ${value}: it can be no name. ${NAME_RULE}`,
  },
  id_too_long: { ...event('The id of an event is too long.', 'Send a shorter one.'), detail: sayTooLong },
  type_too_long: { ...event('The type of an event is too long.', 'Send a shorter one.'), detail: sayTooLong },
  source_too_long: { ...event('The source of an event is too long.', 'Send a shorter one.'), detail: sayTooLong },
  subject_too_long: { ...event('The subject of an event is too long.', 'Send a shorter one.'), detail: sayTooLong },
  invalid_customer: {
    ...event('The customer of an event can be no name.', 'Send a key, or the subject of a customer.'),
    detail: ({ value }: { value: string }) => `customer is ${value}: it can be no name. ${NAME_RULE}`,
  },
  subject_and_customer: {
    ...event('An event names a customer and another subject.', 'Send one of them.'),
    detail: ({ customer, subject }: { customer: string; subject: string }) =>
      `customer is ${customer} and subject ${subject}. Send one of them.`,
  },
  unsupported_specversion: {
    ...event('The event is of another version of CloudEvents.', 'Send 1.0, or leave it out.'),
    detail: ({ value }: { value: string }) => `specversion is ${value}; only "1.0" is understood. Send CloudEvents 1.0, or leave it out.`,
  },
  reserved_source: {
    ...event("The source is Tollgate's own.", 'Send another source, or leave it out.'),
    detail: ({ source }: { source: string }) => `source "${source}" is Tollgate's own. Send another source, or leave it out.`,
  },
  event_too_old: {
    ...event('The event is older than events may be.', 'Correct its time, or send it with `?backfill=true` and an admin key.'),
    detail: (time: OutOfTime) => sayOutOfTime('before', time),
  },
  event_too_far_ahead: {
    ...event('The event is further ahead than events may be.', 'Correct its time, or send it with `?backfill=true` and an admin key.'),
    detail: (time: OutOfTime) => sayOutOfTime('after', time),
  },
  invalid_data: {
    ...event('`data` is not a JSON object that can be kept.', 'Send an object of well-formed text, or leave it out.'),
    detail: (data: { readonly value: string } | { readonly bytesMax: number }) =>
      'value' in data
        ? `data is ${data.value}, not a JSON object. Send an object, or leave it out.`
        : `data must be well-formed text and at most ${data.bytesMax} bytes as JSON.`,
  },
  data_too_large: { ...event('`data` is too large.', 'Send what is metered, and a link to the rest.'), detail: sayTooLarge('data') },
  attributes_too_large: {
    ...event('The further attributes of an event are too large.', 'Send what is metered, and a link to the rest.'),
    detail: sayTooLarge('attributes'),
  },
  forbidden_key: {
    ...event('A key is `__proto__`, which is not kept.', 'Rename it.'),
    detail: ({ path }: { path: string | null }) => `${path ?? 'The event'} has a key __proto__, which is not kept. Rename it.`,
  },
  lone_surrogate: {
    ...event('A string holds half of a surrogate pair, which is no text.', 'Send whole characters.'),
    detail: ({ field, value }: { field: string; value: string | null }) =>
      `${value === null ? `A string in ${field}` : `${field} ${value}`} holds half of a surrogate pair, which is no text. Send whole characters.`,
  },
  number_out_of_range: {
    ...event('A number is beyond what a JSON number holds exactly.', 'Send it as a string.'),
    detail: ({ path, value }: { path: string; value: number }) =>
      `${path} is ${value}, beyond the ±${Number.MAX_SAFE_INTEGER} that a JSON number holds exactly. Send it as a string.`,
  },
  too_deep: {
    ...event('`data` is nested too deep.', 'Flatten it.'),
    detail: ({ path, levelsMax }: { path: string; levelsMax: number }) =>
      `${path} is nested more than ${levelsMax} levels deep. Flatten it.`,
  },
} satisfies RefusalRows

/** Refusals of a request of events as a whole. */
const EVENT_REFUSALS_OF_REQUEST = {
  no_events: {
    status: 400,
    means: 'The request holds no event.',
    next: 'Send at least one.',
    detail: () => 'The request holds no event. Send at least one.',
  },
  empty_body: {
    status: 400,
    means: 'The request has no body.',
    next: 'Send at least one event.',
    detail: () => 'The request has no body. Send at least one event.',
  },
  invalid_utf8: {
    status: 400,
    means: 'The body, or a line of it, is not UTF-8.',
    next: 'Send it in UTF-8.',
    detail: ({ part }: { part: 'body' | 'line' }) =>
      part === 'line' ? 'The line is not UTF-8. Send it in UTF-8.' : 'The body is not UTF-8. Send JSON in UTF-8.',
  },
  invalid_events: {
    status: 400,
    means: 'None of the events is acceptable, or with `?atomic=true` not all are. None was kept.',
    next: 'Correct the events that `errors` names by their place.',
    detail: sayInvalidEvents,
  },
  too_many_events: {
    status: 413,
    means: 'The request holds too many events.',
    next: 'Send it in parts.',
    detail: ({ eventsMax }: { eventsMax: number }) => `The request holds more than ${eventsMax} events, the most it may. Send it in parts.`,
  },
  kept_in_part: {
    status: 500,
    means: 'The event log failed between two records of an atomic request.',
    next: 'Send the same request again: a repeat is counted once.',
    detail: ({ kept, events }: { kept: number; events: number }) =>
      `The event log failed after ${kept} of ${events} events were kept. Send the same request again to complete it: a repeat is counted once.`,
  },
  body_cut_short: {
    status: 400,
    means: 'The body ended before it was whole.',
    next: 'Send it again.',
    detail: ({ why }: { why: string }) => `The body ended before it was whole: ${why}. Send it again.`,
  },
  invalid_content_encoding: {
    status: 400,
    means: 'The body is not what its `Content-Encoding` says.',
    next: 'Send one whole gzip, br or zstd stream.',
    detail: ({ coding, why }: { coding: string; why: string | null }) =>
      why === null
        ? `The body goes on after the end of its ${coding} data. Send one ${coding} stream.`
        : `The body is not whole ${coding}: ${why}. Send it again.`,
  },
  unsupported_content_encoding: {
    status: 415,
    means: 'The content encoding is not read.',
    next: 'Send gzip, br, zstd or none.',
    detail: ({ coding }: { coding: string }) => `The content encoding ${JSON.stringify(coding)} is not read. Send gzip, br, zstd or none.`,
  },
  overloaded: {
    status: 503,
    means:
      'Requests under way hold as much as they may, all together or those of the tenant, the key or the connection. Nothing of this one was kept.',
    next: 'Send it again after `Retry-After`.',
    retryAfterSeconds: 1,
    detail: sayOverloaded,
  },
} satisfies RefusalRows

export const EVENT_REFUSALS = { ...EVENT_REFUSALS_OF_ONE, ...EVENT_REFUSALS_OF_REQUEST }

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof EVENT_REFUSALS> {}
}

type MissingText = { readonly field: string; readonly isEmpty: boolean; readonly charactersMax: number }
type InvalidText = { readonly field: string; readonly value: string; readonly charactersMax: number }
type LongText = InvalidText & { readonly characters: number }
type OutOfTime = { readonly time: string; readonly limitMs: number }
type Overloaded = {
  readonly bound: keyof typeof HELD
  readonly per: 'server' | 'tenant' | 'key' | 'connection'
  readonly held: number
  readonly limit: number
}
type InvalidEvents = { readonly events: number; readonly rejected: number; readonly firstIndex: number; readonly isAtomic: boolean }

const NAME_RULE = 'A name is 1 to 255 characters without control characters or blanks at its ends, and not . or ..; send such a one.'

function event(means: string, next: string) {
  return { status: 400, means, next } as const
}

function sayMissing({ field, isEmpty, charactersMax }: MissingText): string {
  return `${field} is ${isEmpty ? 'empty' : 'missing'}. Send a string of 1 to ${charactersMax} characters.`
}

function sayInvalid({ field, value, charactersMax }: InvalidText): string {
  return value === '""'
    ? `${field} is empty. Send 1 to ${charactersMax} characters, or leave it out.`
    : `${field} is ${value}. Send a string of 1 to ${charactersMax} characters.`
}

function sayTooLong({ field, value, characters, charactersMax }: LongText): string {
  return `${field} ${value} has ${characters} characters; at most ${charactersMax} are kept. Send a shorter one.`
}

function sayTooLarge(field: string): (size: { readonly bytes: number; readonly bytesMax: number }) => string {
  return ({ bytes, bytesMax }) =>
    `${field} takes ${bytes} bytes as JSON; at most ${bytesMax} are kept. Send what is metered, and a link to the rest.`
}

function sayOutOfTime(side: string, { time, limitMs }: OutOfTime): string {
  return `time ${time} is ${side} ${new Date(limitMs).toISOString()}, the limit now. Correct it, or send it with ?backfill=true and an admin key.`
}

/** What requests under way hold, by the bound that a request met. */
const HELD = {
  bytes: 'bytes',
  decoder_bytes: 'bytes for unpacking',
  idempotency_keys: 'Idempotency-Keys',
} as const

function sayOverloaded({ bound, per, held, limit }: Overloaded): string {
  const whose = per === 'server' ? 'Requests under way' : `Requests under way of this ${per}`
  return `${whose} hold ${held} ${HELD[bound]}, and may hold ${limit} as long as others hold theirs. Nothing of this request was kept; send it again after Retry-After.`
}

function sayInvalidEvents({ events, rejected, firstIndex, isAtomic }: InvalidEvents, shown: readonly FieldProblem[]): string {
  const which = isAtomic
    ? `${rejected} of the ${events} events cannot be accepted, so none was kept`
    : `None of the ${events} events can be accepted`
  const more = rejected > shown.length ? ` The first ${shown.length} are listed.` : ''
  return `${which}. Event ${firstIndex}: ${shown[0]?.detail ?? ''}${more}`
}
