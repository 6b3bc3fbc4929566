import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

/** Refusals about customer tokens, publishable keys and pages of other sites. */
export const BROWSER_REFUSALS = {
  invalid_token: {
    status: 401,
    means: 'The text is no customer token of this server: it was changed, cut off, not signed, or is of another installation.',
    next: 'Ask the app’s server for a new one.',
    detail: () => 'This is no customer token of this server, or it was changed; get a new one from POST /v1/customer-tokens.',
  },
  token_expired: {
    status: 401,
    means: 'The customer token has expired.',
    next: 'Ask the app’s server for a new one.',
    detail: ({ expiredAt }: { expiredAt: string }) =>
      `The customer token expired at ${expiredAt}; get a new one from POST /v1/customer-tokens.`,
  },
  token_ended: {
    status: 401,
    means: 'The tokens of the customer that were made until then have been ended.',
    next: 'Ask the app’s server for a new one.',
    detail: ({ notBefore }: { notBefore: string }) =>
      `Tokens of this customer made before ${notBefore} have been ended; get a new one from POST /v1/customer-tokens.`,
  },
  token_outside_me: {
    status: 403,
    means: 'A customer token reaches `/v1/me` and what is below it, and nothing else.',
    next: 'Call the route under `/v1/me`, or call from a server with a key.',
    detail: () => 'A customer token reaches /v1/me and below, and nothing else; call from a server with a key.',
  },
  customer_token_needed: {
    status: 403,
    means: 'Routes under `/v1/me` answer the holder of a customer token about themselves; a key has no customer.',
    next: 'Send a customer token, or call the route that names the customer.',
    detail: () => 'Routes under /v1/me need a customer token, as a key has no customer; call the route that names the customer.',
  },
  missing_token_scope: {
    status: 403,
    means: 'The customer token may not do this.',
    next: 'Make one with the scope that `detail` names.',
    detail: ({ scope, has }: { scope: string; has: readonly string[] }) =>
      `This route needs a customer token with scope ${scope}; this one has ${has.join(', ')}.`,
  },
  secret_key_in_browser: {
    status: 403,
    means: 'A secret key came from a page of another site, where everybody can read it.',
    next: 'End the key, and send a customer token or a publishable key from pages.',
    detail: ({ origin }: { origin: string }) =>
      `A secret key came from a page of ${origin.slice(0, 80)}, where everybody can read it. End it (DELETE /v1/keys/{id}), and send a customer token or a publishable key from pages.`,
  },
  origin_not_allowed: {
    status: 403,
    means: 'The site of the page is not one that may use this key or token.',
    next: 'Add it to `origins` with `PUT /v1/settings`, and to those of the token where it names some.',
    detail: ({ origin, of }: { origin: string; of: 'tenant' | 'token' }) =>
      of === 'tenant'
        ? `Pages of ${origin.slice(0, 80)} may not call; add it to origins with PUT /v1/settings.`
        : `Pages of ${origin.slice(0, 80)} may not use this token; make one whose origins name it.`,
  },
  narrowed_key: {
    status: 403,
    means: 'The key is narrowed (`only`), and the request is about something else or does not say about what.',
    next: 'Name one of the things that `detail` lists, or use another key.',
    detail: ({ what, value, only }: { what: 'customer' | 'event type' | 'feature'; value: string | null; only: readonly string[] }) => {
      const most = 5
      const list = only.slice(0, most).join(', ') + (only.length > most ? ` and ${only.length - most} more` : '')
      return value === null
        ? `This key is for ${what} ${list} alone, and the request names none; use another key.`
        : `This key is for ${what} ${list} alone, and the request is about ${value.slice(0, 80)}; use another key.`
    },
  },
  no_open_subscription: {
    status: 404,
    means: 'The holder of the token has no subscription that has not ended.',
    next: 'Name an ended one, or show that there is none.',
    detail: () => 'There is no subscription that has not ended.',
  },
  scope_above_own: wrongField('A scope is above what the maker may do.', 'Use a key that has it, or leave it out.'),
  publishable_scopes: wrongField(
    'A publishable key has the scope `public` and no other.',
    'Send `scopes: ["public"]`, or make a secret key.',
  ),
  invalid_origin: wrongField('An origin is not a scheme and a host.', 'Send it as browsers do, such as `https://app.example.com`.'),
  not_before_ahead: wrongField('`notBefore` is ahead of now.', 'Leave it out: then it is now.'),
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof BROWSER_REFUSALS> {}
}
