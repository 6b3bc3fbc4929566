import type { Logger } from 'pino'
import type { AuditStore } from '../../adapters/database/audit/audit-store.ts'
import type { Cancel, Clock, InstantMs } from '../../base/clock.ts'
import { DAY_MS, HOUR_MS } from '../../domain/time/durations.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { auditRoutes } from './audit-routes.ts'

export type AuditKit = {
  readonly clock: Clock
  readonly log: Logger
  readonly config: { readonly auditRetentionDays: number }
  readonly stores: { readonly audit: AuditStore }
}

/** Shows the changes on record, and drops those that are older than they are kept. */
export function openAudit({ clock, log, config, stores: { audit } }: AuditKit): Stage {
  let cancel: Cancel | null = null
  async function prune(): Promise<void> {
    try {
      const pruned = await audit.prune((clock.now() - config.auditRetentionDays * DAY_MS) as InstantMs)
      if (pruned > 0) log.info({ pruned }, 'dropped old entries of the audit log')
    } catch (error) {
      log.warn({ err: error }, 'old entries of the audit log not dropped, tried again in an hour')
    }
  }
  return {
    name: 'audit',
    routes: auditRoutes({ audit }),
    async start() {
      cancel = clock.every(HOUR_MS, prune)
    },
    async stop() {
      cancel?.()
    },
  }
}
