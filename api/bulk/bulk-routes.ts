import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { Fault } from '../../base/fault.ts'
import { isRefusal, RefusalError, refuse } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { refusalAnswer } from '../../schemas/http/refusal-answer.ts'
import { BULK_BOUNDS } from './bulk-bounds.ts'
import { type BulkDeps, bulkCollections } from './bulk-collections.ts'
import { type BulkVerdict, createBulkPuts } from './bulk-puts.ts'
import { readLines } from './read-lines.ts'

/**
 * `POST /v1/bulk`: lines are put as they come, in batches, and the verdicts answered behind the last, so that a caller that reads
 * no answer before it has sent everything is never waited for. Puts may be repeated: after a fault all lines are sent again.
 */
export function bulkRoutes(deps: BulkDeps): (app: HttpApp) => Promise<void> {
  const collections = bulkCollections(deps)
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    const route = {
      schema: SCHEMA,
      config: { scope: 'manage' as const },
      validatorCompiler: () => (value: unknown) => ({ value }),
    }
    app.post('/v1/bulk', route, async (request, reply) => {
      const { 'content-type': type = null, 'content-encoding': coding = 'identity' } = request.headers
      if (type === null || !/^application\/x-ndjson\s*(;|$)/i.test(type)) {
        throw new RefusalError(refuse('unsupported_media_type', { has: type?.slice(0, 80) ?? null, takes: ['application/x-ndjson'] }))
      }
      if (coding !== 'identity') throw new RefusalError(refuse('unsupported_content_encoding', { coding: coding.slice(0, 80) }))
      const puts = createBulkPuts(collections, request.principal, (schema, value) => request.checkBody(schema, value))
      const body = request.body instanceof Readable ? request.body : Readable.from([])
      try {
        for await (const line of readLines(chunksOf(body), BULK_BOUNDS.lineBytes.most)) {
          if (line?.length === 0 || line?.equals(CARRIAGE_RETURN)) {
            puts.skip()
            continue
          }
          if (puts.verdicts.length >= BULK_BOUNDS.lines.most) {
            throw new RefusalError(refuse('too_many_puts', { linesMax: BULK_BOUNDS.lines.most }))
          }
          await puts.add(line)
        }
      } catch (error) {
        // What was gathered is put before the refusal says that the lines before were.
        if (error instanceof RefusalError) await puts.finish()
        // The rest of the body would have to be read before the connection could serve another request.
        if (error instanceof RefusalError || error instanceof Fault) reply.header('connection', 'close')
        throw error
      }
      await puts.finish()
      // Types know answers as values only.
      return reply.type('application/x-ndjson').send(Readable.from(verdictLines(puts.verdicts)) as never)
    })
  }
}

const CARRIAGE_RETURN = Buffer.from('\r')

/** Leaves the request open when we stop in the middle, as destroying it would cut the connection before our answer. */
async function* chunksOf(body: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* body.iterator({ destroyOnReturn: false })
  } catch (cause) {
    throw new RefusalError(refuse('body_cut_short', { why: cause instanceof Error ? cause.message : String(cause) }))
  }
}

function* verdictLines(verdicts: readonly BulkVerdict[]): Generator<string> {
  for (const verdict of verdicts) yield `${JSON.stringify(verdictJson(verdict))}\n`
}

function verdictJson({ outcome, ...line }: BulkVerdict) {
  if (!isRefusal(outcome)) return { ...line, status: outcome === 'created' ? 201 : 200 }
  const { status, code, detail, errors } = refusalAnswer(outcome)
  return { ...line, status, code, detail, ...(errors !== undefined && { errors }) }
}

const LineSchema = Type.Object({
  put: Type.String({ description: 'Collection and key', examples: ['customers/acme'] }),
  body: Type.Object({}, { additionalProperties: true, description: 'As the collection’s own route takes it' }),
})
const SCHEMA = {
  tags: ['customers'],
  operationId: 'putInBulk',
  summary: 'Put many records, one a line',
  description:
    'Customers, subscriptions (by an id of your own), meters, features, products and plans; the lines are put in order, each for itself. ' +
    'The answer has a line for each: `{"line": 1, "put": "customers/acme", "status": 201}`, and with a refusal its `code`, `detail` and `errors`. ' +
    'After 5xx send all lines again: what was put is the same then. A new meter counts its past after the answer.',
  body: { description: 'NDJSON', content: { 'application/x-ndjson': { schema: LineSchema } } },
  response: {
    200: { description: 'A verdict a line', content: { 'application/x-ndjson': { schema: Type.String() } } },
    ...REFUSALS,
    413: REFUSALS[400],
    415: REFUSALS[400],
  },
}
