import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { createGrowingBytes } from '../../../base/bounds/growing-bytes.ts'
import { type BudgetAccount, createSharedBudget } from '../../../base/bounds/shared-budget.ts'
import type { Clock } from '../../../base/clock.ts'
import { createJsonScan } from '../../../base/json-scan.ts'
import { isRefusal, type Outcome, type Refusal, RefusalError, refuse } from '../../../domain/refusal.ts'
import type { HttpApp } from '../../../schemas/http/common.ts'
import { HTTP_BOUNDS } from '../http-bounds.ts'

const DEPTH_MAX = HTTP_BOUNDS.bodyDepth.most
const VALUES_MAX = HTTP_BOUNDS.bodyValues.most
/** Shorter ones are not counted: the number of connections bounds them. */
const COUNTED_BYTES = 16 * 1024
/** What is shorter cannot go too deep: each level has a bracket at both ends. */
const SCANNED_BYTES = 2 * DEPTH_MAX

type BodyLevel = 'tenant' | 'key' | 'connection'

/**
 * JSON bodies of the routes that have them parsed. Length, depth and number of values are bounded before the parser sees them, and the
 * memory of all together is shared by tenant, key and connection until they are answered. To a route that reads no body an empty one is
 * none: clients name their content type on a POST or DELETE that brings nothing. A POST whose body may lack everything
 * may lack the body. A PUT may not: nothing would take all away.
 */
export function readJsonBodies(app: HttpApp, bytesMax: number, clock: Pick<Clock, 'after'>): void {
  const budget = createSharedBudget({ unitsMax: HTTP_BOUNDS.bodyBytes.most, levels: ['tenant', 'key', 'connection'], waitersMax: 0, clock })
  const responses = new WeakMap<FastifyRequest, ServerResponse>()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.decorateRequest('hasPlainBody', false)

  // A body of unknown length may be long.
  app.addHook('onRequest', (request, reply, done) => {
    if (!(declaredBytesOf(request) <= COUNTED_BYTES)) responses.set(request, reply.raw)
    done()
  })

  app.addHook('preValidation', (request, _reply, done) => {
    if (request.body === undefined && mayLackAll(request)) request.body = {}
    done()
  })

  function open(request: FastifyRequest, payload: Readable): BudgetAccount<BodyLevel> {
    const { tenant = '', keyId = '' } = request.principal ?? {}
    const account = budget.open({ tenant, key: keyId, connection: request.raw.socket })
    const response = responses.get(request)
    for (const each of response === undefined ? [payload] : [response]) each.once('close', account.close)
    response?.once('finish', account.close)
    return account
  }

  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', (request, payload, done: (error: Error | null, body?: unknown) => void) => {
    const declaredBytes = declaredBytesOf(request)
    if (declaredBytes > bytesMax) return done(new RefusalError(refuse('payload_too_large', { bytes: declaredBytes, bytesMax })))
    const gathered = createGrowingBytes(Number.isNaN(declaredBytes) ? 0 : declaredBytes)
    let account: BudgetAccount<BodyLevel> | null = null

    function end(error: Error | null): void {
      payload.off('data', take).off('end', finish).off('error', fail)
      if (error !== null) done(error)
    }
    function hold(bytes: number): Refusal | undefined {
      if (gathered.length() > bytesMax) return refuse('payload_too_large', { bytes: 'more', bytesMax })
      if (gathered.length() <= COUNTED_BYTES) return undefined
      const isFirst = account === null
      account ??= open(request, payload)
      const shortage = account.tryTake(isFirst ? gathered.length() : bytes)
      return shortage === undefined ? undefined : refuse('overloaded', { bound: 'bytes', ...shortage })
    }
    function take(chunk: Buffer): void {
      gathered.put(chunk)
      const refusal = hold(chunk.length)
      if (refusal !== undefined) end(new RefusalError(refusal))
    }
    function fail(error: Error): void {
      end(Object.assign(error, { statusCode: 400 }))
    }
    function finish(): void {
      end(null)
      const isWhole = Number.isNaN(declaredBytes) || gathered.length() === declaredBytes
      const bytes = withoutByteOrderMark(gathered.takeAll())
      const structure = isWhole ? structureOf(bytes) : refuse('invalid_content_length', {})
      if (isRefusal(structure)) done(new RefusalError(structure))
      else if (bytes.length === 0 && (request.routeOptions.schema?.body === undefined || mayLackAll(request))) done(null, undefined)
      else {
        request.hasPlainBody = !bytes.includes('\\u')
        parse(request, bytes.toString('utf8'), (error: Error | null, body: unknown) => {
          if (structure.isWide && typeof body === 'object' && body !== null) wideBodies.add(body)
          done(error, body)
        })
      }
    }
    payload.on('data', take).on('end', finish).on('error', fail)
  })
}

/** NaN where the headers do not say. */
function declaredBytesOf({ headers }: FastifyRequest): number {
  return Number(headers['content-length'])
}

/** What is no JSON is left to the parser, which reads no further than the scan. */
function structureOf(bytes: Buffer): Outcome<{ readonly isWide: boolean }> {
  if (bytes.length <= SCANNED_BYTES) return { isWide: false }
  const scan = createJsonScan({ depthMax: DEPTH_MAX, valuesMax: VALUES_MAX })
  const defect = scan.take(bytes)
  if (defect?.kind === 'too_deep') return refuse('body_too_deep', { levelsMax: DEPTH_MAX })
  if (defect?.kind === 'too_many_values') return refuse('body_too_wide', { valuesMax: VALUES_MAX })
  return { isWide: scan.values() > WIDE_VALUES }
}

/** Bodies with more values than this are known by name to the check against the schema. */
const WIDE_VALUES = 500
const wideBodies = new WeakSet<object>()

/** Whether a parsed body has more than some hundred values. They were counted before it was parsed: to count properties is to list them. */
export function isWideBody(body: unknown): boolean {
  return typeof body === 'object' && body !== null && wideBodies.has(body)
}

function withoutByteOrderMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes
}

/** True for a POST of an object of which no property is required. */
function mayLackAll({ method, routeOptions }: FastifyRequest): boolean {
  const { type, required = [] } = (routeOptions.schema?.body ?? {}) as { readonly type?: unknown; readonly required?: readonly string[] }
  return method === 'POST' && type === 'object' && required.length === 0
}
