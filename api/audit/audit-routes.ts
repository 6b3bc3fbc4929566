import { Readable } from 'node:stream'
import { type Static, Type } from 'typebox'
import type { AuditEntry, AuditStore } from '../../adapters/database/audit/audit-store.ts'
import type { Page } from '../../adapters/database/page.ts'
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
    app.get(
      '/v1/audit/export',
      { config: { scope: 'admin', isHeavyRead: true }, schema: EXPORT_AUDIT },
      async ({ principal, query }, reply) => {
        const { from, to, cursor, ...named } = query
        const bounds = orThrow(parseTimeRange({ from, to }, timeZone('UTC'), { fromMs: undefined, toMs: undefined }))
        const readPage = (after: string | undefined) =>
          audit.list(principal.tenant, { limit: EXPORT_PAGE, ...(after !== undefined && { cursor: after }) }, { ...named, ...bounds })
        // The first page before the answer begins, so that a wrong cursor is refused.
        return reply.type('application/x-ndjson').send(Readable.from(lines(await readPage(cursor), readPage)) as never)
      },
    )
    app.get('/v1/audit/check', { config: { scope: 'admin', isHeavyRead: true }, schema: CHECK_AUDIT }, async ({ principal }) =>
      audit.check(principal.tenant),
    )
  }
}

const LIMIT_DEFAULT = 100
const EXPORT_PAGE = 500

/** An entry a line; the last of each page carries the cursor that goes on behind it. */
async function* lines(first: Page<AuditEntry>, readPage: (cursor: string) => Promise<Page<AuditEntry>>): AsyncGenerator<string> {
  let page = first
  while (true) {
    const { data, nextCursor } = page
    const last = data.length - 1
    const rows = data.map((entry, at) =>
      at === last && nextCursor !== null ? { ...entryJson(entry), cursor: nextCursor } : entryJson(entry),
    )
    yield rows.map((row) => `${JSON.stringify(row)}\n`).join('')
    if (nextCursor === null) return
    page = await readPage(nextCursor)
  }
}

const TAGS = { tags: ['audit'] }

const LIST_AUDIT = {
  ...TAGS,
  operationId: 'listAudit',
  summary: 'Every change by a key or a command, newest first: who, when, from where, which object, before and after',
  querystring: AuditQuerySchema,
  response: { 200: PageSchema(AuditEntrySchema), ...REFUSALS },
}
const { limit: _limit, ...EXPORTED } = AuditQuerySchema.properties
const EXPORT_AUDIT = {
  ...TAGS,
  operationId: 'exportAudit',
  summary: 'Changes as NDJSON, newest first, to be kept elsewhere',
  description:
    'Streamed. A stream that broke off is gone on with by the last `cursor` that came. The hash of the newest entry proves all before it.',
  querystring: Type.Object(EXPORTED),
  response: { 200: { description: 'Entries', content: { 'application/x-ndjson': { schema: Type.String() } } }, ...REFUSALS },
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
