import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { OutboxStore } from '../../adapters/database/outbox/outbox-store.ts'
import type { TimedMessageStore } from '../../adapters/database/outbox/timed-message-store.ts'
import type { WebhookDeliveryStore } from '../../adapters/database/webhooks/webhook-delivery-store.ts'
import type { WebhookEndpointStore } from '../../adapters/database/webhooks/webhook-endpoint-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { createWebhookDeliveries } from './deliver-webhooks.ts'
import { feedRoutes } from './feed-routes.ts'
import { webhookAddresses } from './public-address.ts'
import { createWebhookSender } from './send-webhook.ts'
import { webhookSecret } from './signature.ts'
import { webhookRoutes } from './webhook-routes.ts'

export type WebhooksKit = {
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly createId: () => string
  readonly config: { readonly webhookNetworks: readonly string[]; readonly port: number; readonly opsPort: number | null }
  readonly stores: {
    readonly billing: { readonly outbox: OutboxStore }
    readonly timedMessages: TimedMessageStore
    readonly webhookEndpoints: WebhookEndpointStore
    readonly webhookDeliveries: WebhookDeliveryStore
  }
}

/** Tells others what happened: sends it, and lets it be read. */
export function openWebhooks({ clock, log: parentLog, registry, createId, config, stores }: WebhooksKit): Stage {
  const log = parentLog.child({ stage: 'webhooks' })
  const mayReach = webhookAddresses(config.webhookNetworks)
  const ownPorts = config.opsPort === null ? [config.port] : [config.port, config.opsPort]
  const sender = createWebhookSender({ mayReach, ownPorts, clock })
  const { timedMessages: timed, webhookEndpoints: endpoints, webhookDeliveries: deliveries } = stores
  const { outbox } = stores.billing
  const own = { outbox, timed, endpoints, deliveries, send: sender.send, clock }
  const worker = createWebhookDeliveries({ ...own, random: Math.random, log, registry, holder: createId() })
  return {
    name: 'webhooks',
    async routes(app) {
      refuseUnstorableBodies(app)
      await webhookRoutes({ ...own, mayReach, createId, createSecret: () => webhookSecret(randomBytes) })(app)
      await feedRoutes({ outbox, clock })(app)
    },
    async start() {
      worker.start()
    },
    drain: () => worker.stop(),
    async stop() {
      sender.stop()
    },
    health: () => ({ ok: true, reasons: [...worker.troubles()] }),
  }
}
