import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

/** What the scope was needed for. */
const WANTED = {
  route: 'This route',
  backfill: '?backfill=true, which lifts the bounds on event time,',
  set: 'A report with behaviour set',
  negative: 'A negative quantity',
} as const

/** Refusals before a route looks at the request: the key, the body, the shape. */
export const REQUEST_REFUSALS = {
  missing_key: {
    status: 401,
    means: 'The route needs a key and the request has none.',
    next: 'Send `Authorization: Bearer <key>`.',
    detail: () => 'This route needs a key; send Authorization: Bearer <key>.',
  },
  invalid_key: {
    status: 401,
    means: 'There is no such key.',
    next: 'Check the key, or make one with `tollgate keys create`.',
    detail: () => 'No such key; check it, or make one with `tollgate keys create`.',
  },
  missing_scope: {
    status: 403,
    means: 'The key may not do this.',
    next: 'Use a key with the scope that `detail` names.',
    detail: ({ scope, has, wanted }: { scope: string; has: readonly string[]; wanted: keyof typeof WANTED }) =>
      `${WANTED[wanted]} needs a key with scope ${scope}; this key has ${has.join(', ') || 'none'}.`,
  },
  too_many_wrong_keys: {
    status: 429,
    means: 'Too many requests with wrong keys came from this address. Keys that were used before go on.',
    next: 'Correct the key, and try again after `Retry-After`.',
    detail: ({ wrongKeysMax, retryAfterSeconds }: { wrongKeysMax: number; retryAfterSeconds: number }) =>
      `${wrongKeysMax} requests with a wrong key came from this address within a minute, the most that may. Correct the key, and try again in ${retryAfterSeconds} s.`,
  },
  too_many_key_lookups: {
    status: 503,
    means: 'More new keys are looked up at once than may be.',
    next: 'Try again after `Retry-After`.',
    retryAfterSeconds: 1,
    detail: ({ lookupsMax }: { lookupsMax: number }) =>
      `${lookupsMax} keys are being looked up in this process, the most that may be at once; try again in 1 s.`,
  },
  missing_host: {
    status: 400,
    means: 'A request of HTTP/1.1 came without a Host header.',
    next: 'Send a Host header.',
    detail: () => 'A request of HTTP/1.1 names its host; send a Host header.',
  },
  not_found: {
    status: 404,
    means: 'There is no such path.',
    next: 'Look it up in `/docs`.',
    detail: ({ path }: { path: string }) => `There is nothing at ${path}; /docs lists what there is.`,
  },
  method_not_allowed: {
    status: 405,
    means: 'The path does not take this method.',
    next: 'Use one of the methods of the `Allow` header.',
    detail: ({ method, path, methods }: { method: string; path: string; methods: readonly string[] }) =>
      `${method} is not served at ${path}; it takes ${methods.join(', ')}.`,
  },
  bad_request: {
    status: 400,
    means: 'The request could not be read as HTTP.',
    next: 'Check its headers and body.',
    detail: ({ part }: { part: 'http' | 'headers_or_body' }) =>
      part === 'http' ? 'The request is not valid HTTP/1.1.' : 'The request could not be read; check its headers and body.',
  },
  request_timeout: {
    status: 408,
    means: 'The request did not arrive in time.',
    next: 'Send it again.',
    detail: () => 'The request did not arrive in time.',
  },
  body_too_slow: {
    status: 408,
    means: 'The body came in too slowly, and was given up.',
    next: 'Send it again, without pauses.',
    detail: ({ bytesPerSecondMin }: { bytesPerSecondMin: number }) =>
      `The body brought less than ${bytesPerSecondMin} bytes a second for 10 seconds. Nothing more of it is read; send it again, without pauses.`,
  },
  too_many_connections: {
    status: 503,
    means: 'As many connections are open as may, in all or from one address.',
    next: 'Use open connections again, or try again after `Retry-After`.',
    retryAfterSeconds: 1,
    detail: ({ per, limit }: { per: 'server' | 'address'; limit: number }) =>
      `${limit} connections are open, the most ${per === 'server' ? 'that this server takes' : 'from one address'}. Use them again, or try again after Retry-After.`,
  },
  headers_too_large: {
    status: 431,
    means: 'The headers are larger than 16 KiB.',
    next: 'Send fewer or shorter headers.',
    detail: () => 'The request headers are larger than 16 KiB.',
  },
  unmet_expectation: {
    status: 417,
    means: '`Expect` asks for something other than `100-continue`.',
    next: 'Leave the header out.',
    detail: () => 'Expect may be 100-continue and nothing else; leave it out.',
  },
  invalid_url: {
    status: 400,
    means: 'The path is not valid percent-encoding.',
    next: 'Encode each segment of the path.',
    detail: () => 'The path is not valid percent-encoding.',
  },
  invalid_content_length: {
    status: 400,
    means: 'The body does not have as many bytes as its Content-Length says.',
    next: 'Send it again, whole.',
    detail: () => 'The body has not as many bytes as its Content-Length says; send it again, whole.',
  },
  invalid_json: {
    status: 400,
    means: 'The body, or a line of it, is not the JSON that its content type says.',
    next: 'Send JSON (RFC 8259) without `__proto__` and `constructor.prototype`.',
    detail: sayInvalidJson,
  },
  unsupported_media_type: {
    status: 415,
    means: 'The route does not read this content type.',
    next: 'Send one of the types that `detail` names.',
    detail: ({ has, takes }: { has: string | null; takes: readonly string[] }) =>
      takes.length === 1
        ? `This route does not read this content type; send ${takes[0]}.`
        : `The request has ${has === null ? 'no content type' : `content type ${JSON.stringify(has)}`}. Send one of ${takes.join(', ')}, in UTF-8.`,
  },
  payload_too_large: {
    status: 413,
    means: 'The body is larger than the route takes.',
    next: 'Send it in parts.',
    detail: ({ bytes, bytesMax }: { bytes: number | 'more' | 'more_once_unpacked'; bytesMax: number | null }) => {
      if (bytesMax === null) return 'The body is larger than this route takes; send less at once.'
      const has = bytes === 'more' ? 'more bytes' : bytes === 'more_once_unpacked' ? 'more bytes once unpacked' : `${bytes} bytes`
      return `The body has ${has}; at most ${bytesMax} are read. Send it in parts.`
    },
  },
  body_too_deep: {
    status: 400,
    means: 'The body is nested too deep.',
    next: 'Flatten it.',
    detail: ({ levelsMax }: { levelsMax: number }) => `The body is nested more than ${levelsMax} levels deep; flatten it.`,
  },
  body_too_wide: {
    status: 413,
    means: 'The body holds too many values.',
    next: 'Send it in parts.',
    detail: ({ valuesMax }: { valuesMax: number }) =>
      `The body holds more than ${valuesMax} values, counting all that stand in its arrays and objects. Send it in parts.`,
  },
  invalid_request: {
    status: 400,
    means: 'Parameters or body do not have the shape that the route takes.',
    next: 'Correct each field that `errors` names.',
    opening: 'The request is not valid: ',
  },
  invalid_text: {
    status: 400,
    means: 'A text holds a NUL character or half of a surrogate pair, which cannot be stored.',
    next: 'Send well-formed text.',
    detail: ({ field }: { field: string }) =>
      `${field} holds a NUL character or half of a surrogate pair, which cannot be stored; send well-formed text.`,
  },
  invalid_time: {
    status: 400,
    means: 'A time is not one, or is out of its bounds.',
    next: 'Send ISO 8601 with seconds and an offset, within the bounds that `detail` names.',
    detail: ({ field, value, of }: { field: string; value: string; of: 'event' | 'request' }) =>
      of === 'event'
        ? `${field} is ${value}. Send ISO 8601 with seconds and an offset, such as 2026-07-01T09:30:00.123Z, or leave it out.`
        : `${field} must be a time such as 2026-01-31T00:00:00Z from 1970 to 9999, was ${value}.`,
  },
  invalid_cursor: {
    status: 400,
    means: 'The cursor is not one that this server gave.',
    next: 'Read the list again from its start, without a cursor.',
    detail: () => 'cursor is not one that this server gave; start again without it.',
  },
  invalid_idempotency_key: {
    status: 400,
    means: '`Idempotency-Key` is empty, too long or there twice.',
    next: 'Send it once, with 1 to 255 characters.',
    detail: ({ charactersMax }: { charactersMax: number }) => `Idempotency-Key must be 1 to ${charactersMax} characters, once.`,
  },
  idempotency_key_reused: {
    status: 422,
    means: 'The `Idempotency-Key` came with another request before.',
    next: 'Use a new key for a new request.',
    detail: () => 'This Idempotency-Key came with another request before; use a new key for a new request.',
  },
  idempotency_key_in_use: {
    status: 409,
    means: 'The first request with this `Idempotency-Key` is still under way.',
    next: 'Try again after `Retry-After`.',
    retryAfterSeconds: 1,
    detail: () => 'The first request with this Idempotency-Key is still under way; try again in a moment.',
  },
  too_many_idempotency_keys: {
    status: 429,
    means: 'The tenant has as many `Idempotency-Key`s within 24 hours as are kept. Nothing was done.',
    next: 'Give what is created an `id` of your own where the route takes one, or try again after `Retry-After`.',
    retryAfterSeconds: 60,
    detail: ({ keysMax }: { keysMax: number }) =>
      `This tenant has ${keysMax} Idempotency-Keys within 24 hours, the most that are kept. Nothing was done. Give what is created an id of your own where the route takes one, or try again in 60 s.`,
  },
  missing: wrongField('A field that is needed is not there.'),
  unknown_field: wrongField('A field is not one of this request.', 'Leave it out, or correct its name.'),
  unknown_parameter: wrongField('A query parameter is not one of this route.', 'Leave it out, or correct its name.'),
  invalid_type: {
    ...wrongField('A value is of the wrong JSON type.'),
    detail: ({ field, value, charactersMax }: { field: string; value: string; charactersMax: number }) =>
      `${field} is ${value}. Send a string of 1 to ${charactersMax} characters.`,
  },
  not_allowed: wrongField('A value is not one of those that the field takes.'),
  invalid: wrongField('A value does not fit what the field takes.'),
  invalid_pattern: wrongField('A text does not have the form that the field takes.'),
  invalid_format: wrongField('A text is not what the field takes, such as a time.'),
  invalid_min_length: wrongField('A text is too short.'),
  invalid_max_length: wrongField('A text is too long.'),
  invalid_minimum: wrongField('A number is too small.'),
  invalid_maximum: wrongField('A number is too large.'),
  invalid_min_items: wrongField('A list has too few items.'),
  invalid_max_items: wrongField('A list has too many items.'),
  invalid_max_properties: wrongField('An object has too many properties.'),
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof REQUEST_REFUSALS> {}
}

type InvalidJson =
  | { readonly why: 'empty' | 'malformed' | 'is_array' | 'is_no_array' }
  | { readonly why: 'unparsed'; readonly part: 'body' | 'line'; readonly message: string }

function sayInvalidJson(fields: InvalidJson): string {
  switch (fields.why) {
    case 'empty':
      return 'The body is empty but its content type says JSON; send a JSON body.'
    case 'malformed':
      return 'The body is not JSON (RFC 8259), or has a __proto__ or constructor.prototype property.'
    case 'is_array':
      return 'The body is an array. Send one event, or application/cloudevents-batch+json.'
    case 'is_no_array':
      return 'The body is not an array. Send an array of events, or application/cloudevents+json.'
    case 'unparsed':
      return `The ${fields.part} is not JSON: ${fields.message}`
  }
}
