import type { Static } from 'typebox'
import type { OutboxMessage } from '../../adapters/database/outbox/outbox-store.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import type { WebhookEventSchema } from '../../schemas/http/webhooks.ts'

/** The body of a webhook, and an entry of the feed. The id is the same on every try; a higher `version` of an object is newer. */
export function eventJson(message: OutboxMessage & { readonly id: string }): Static<typeof WebhookEventSchema> {
  const { id, type, object, data, previous, createdAtMs } = message
  return {
    ...{ id: `${ID_PREFIX}${id}`, type, timestamp: instantJson(createdAtMs), object, version: Number(id), data },
    ...(previous !== undefined && { previous }),
  }
}

/** The id in the database; null when it is none of ours. */
export function eventIdOf(id: string): string | null {
  return /^evt_\d{1,18}$/.test(id) ? id.slice(ID_PREFIX.length) : null
}

const ID_PREFIX = 'evt_'
