import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

/** Refusals about API keys. */
export const KEY_REFUSALS = {
  unknown_key: {
    status: 404,
    means: 'The tenant has no key with this id, or no license has this license key.',
    next: 'Look its id up with `GET /v1/keys`; have a license key typed again.',
    /** The text of a license key is not repeated. */
    detail: ({ key }: { key: string | null }) =>
      key === null
        ? 'No license has this key; check it letter by letter.'
        : `There is no key ${key.slice(0, 60)}; GET /v1/keys lists the ids.`,
  },
  last_admin_key: {
    status: 409,
    means: 'It is the last admin key that does not end by itself; without one nobody could make another.',
    next: 'Make another admin key without `expiresAt` first.',
    detail: ({ key }: { key: string }) =>
      `key ${key} is the last admin key of the tenant that does not end by itself; make another one without expiresAt first.`,
  },
  configured_key: {
    status: 409,
    means: 'The key is the one of TOLLGATE_ADMIN_KEY.',
    next: 'Change the setting and start again: the new key replaces it.',
    detail: ({ key }: { key: string }) =>
      `key ${key} is set by TOLLGATE_ADMIN_KEY; change the setting and start again, and the new one replaces it.`,
  },
  key_has_ended: {
    status: 409,
    means: 'The key has ended.',
    next: 'Make another with `POST /v1/keys`.',
    detail: ({ key, endedAt }: { key: string; endedAt: string }) =>
      `key ${key} ended at ${endedAt} and cannot be given a new secret; POST /v1/keys makes another.`,
  },
  address_not_allowed: {
    status: 403,
    means: 'The key may not be used from this address.',
    next: 'Send from an address in the key’s `allowedFrom`.',
    detail: ({ address }: { address: string }) => `This key may not be used from ${address}; send from an address in its allowedFrom.`,
  },
  not_signed_in: {
    status: 401,
    means: 'A request of the console whose session has ended, or that has none.',
    next: 'Sign in at `/console`.',
    detail: () => 'This browser has no session, or it has ended; sign in at /console.',
  },
  key_not_for_console: {
    status: 403,
    means: 'The key is publishable, or narrowed to some customers, event types or features.',
    next: 'Sign in to the console with a secret key that is not narrowed.',
    detail: () => 'This key is publishable or narrowed, so it is not for the console; sign in with a secret key that is not.',
  },
  cross_site_request: {
    status: 403,
    means: 'A write with the cookie of the console that comes from another site.',
    next: 'Send it from a page of this server, or use `/v1` with a key.',
    detail: () => 'A write with the cookie of the console must come from a page of this server; programs use /v1 with a key.',
  },
  unknown_session: {
    status: 404,
    means: 'The tenant has no session of the console with this id that goes on.',
    next: 'Look it up with `GET /console/api/sessions`.',
    detail: ({ session }: { session: string }) => `There is no session ${session.slice(0, 60)} that goes on.`,
  },
  key_ends_in_past: wrongField(
    '`expiresAt` is not ahead of now.',
    'Send an instant ahead of now, or leave it out for a key without an end.',
  ),
  invalid_address_range: wrongField('An entry of `allowedFrom` is no IP address and no CIDR range.', 'Send `203.0.113.7` or `10.0.0.0/8`.'),
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof KEY_REFUSALS> {}
}
