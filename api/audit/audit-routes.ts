import type { Static } from 'typebox'
import type { AuditEntry, AuditStore } from '../../adapters/database/audit/audit-store.ts'
import { orThrow } from '../../domain/refusal.ts'
import { timeZone } from '../../domain/time/time-zone.ts'
import { AuditCheckSchema, AuditEntrySchema, AuditQuerySchema } from '../../schemas/http/audit.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import { parseTimeRange } from '../usage/time-range.ts'

/** Who changed what: read by admins alone, as rows hold what customers said of themselves. */
export function auditRoutes({ audit }: { readonly audit: Pick<AuditStore, 'check' | 'list'> }): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/audit', { config: { scope: 'admin' }, schema: LIST_AUDIT }, async ({ principal, query }) => {
      const { from, to, actor, objectType, object, limit = LIMIT_DEFAULT, ...rest } = query
      const bounds = orThrow(parseTimeRange({ from, to }, timeZone('UTC'), { fromMs: undefined, toMs: undefined }))
      const filter = { actor, objectType, object, ...bounds }
      const { data, nextCursor } = await audit.list(principal.tenant, { limit, ...rest }, filter)
      return { data: data.map(entryJson), nextCursor }
    })
    app.get('/v1/audit/check', { config: { scope: 'admin', isHeavyRead: true }, schema: CHECK_AUDIT }, async ({ principal }) =>
      audit.check(principal.tenant),
    )
  }
}

const LIMIT_DEFAULT = 100

const TAGS = { tags: ['audit'] }

const LIST_AUDIT = {
  ...TAGS,
  operationId: 'listAudit',
  summary: 'Every change by a key or a command, newest first: who, when, from where, which object, before and after',
  querystring: AuditQuerySchema,
  response: { 200: PageSchema(AuditEntrySchema), ...REFUSALS },
}
const CHECK_AUDIT = {
  ...TAGS,
  operationId: 'checkAudit',
  summary: 'Work out every hash of the chain again, and name the first entry that was changed or taken out',
  response: { 200: AuditCheckSchema, ...REFUSALS },
}

function entryJson({ atMs, acting, before, after, ...entry }: AuditEntry): Static<typeof AuditEntrySchema> {
  return {
    ...entry,
    ...acting,
    at: instantJson(atMs),
    before: before === null ? null : { ...before },
    after: after === null ? null : { ...after },
  }
}
