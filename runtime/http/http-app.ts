import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyBaseLogger, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import type { Logger } from 'pino'
import { Histogram, type Registry } from 'prom-client'
import { Type } from 'typebox'
import type { IdempotencyStore } from '../../adapters/database/idempotency/idempotency-store.ts'
import type { IsListedOrigin } from '../../api/tenants/listed-origins.ts'
import type { Clock } from '../../base/clock.ts'
import type { Vendor } from '../../compat/vendor.ts'
import { type Refusal, RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import type { CustomerNames } from '../../usage/customer-names.ts'
import { sendAnswersTogether } from './answers-together.ts'
import { serializeAnswers } from './bodies/answer-serialization.ts'
import { readJsonBodies } from './bodies/json-bodies.ts'
import { endWithProblem } from './bodies/raw-answer.ts'
import { validateRequests } from './bodies/request-validation.ts'
import { admitBrowsers } from './browsers.ts'
import { boundConnections, CONNECTION_BOUNDS, type ConnectionBounds } from './connections.ts'
import { rewriteConsoleUrl } from './console/console-requests.ts'
import { resolveCustomerNames } from './customer-names.ts'
import { type DocsReaders, describeApi } from './documents/openapi.ts'
import { takeTurnsAtHeavyReads } from './heavy-reads.ts'
import { HTTP_BOUNDS } from './http-bounds.ts'
import { honourIdempotencyKeys } from './idempotency.ts'
import { nameActors } from './keys/acting-requests.ts'
import { authenticateRequests, type FindPrincipal, type FindSignedIn, OPERATORS } from './keys/authentication.ts'
import { holdNarrowedKeys } from './keys/narrowed-keys.ts'
import { createKnownPaths, type KnownPaths } from './known-paths.ts'
import { serveAsMe } from './me-routes.ts'
import { PROBLEM_CONTENT_TYPE, type ProblemAnswer, problemOfError, problemOfRefusal } from './problem.ts'
import { createRefusalShapes, type RefusalShapes } from './refusal-shapes.ts'
import type { TlsPair } from './tls.ts'
import { traceOf } from './trace-context.ts'

export type HttpAppOptions = {
  readonly findPrincipal: FindPrincipal
  /** Without it no page of another site may call. */
  readonly isListedOrigin?: IsListedOrigin
  /** Without it nobody is signed in to the console. */
  readonly findSignedIn?: FindSignedIn
  readonly idempotency: IdempotencyStore
  /** Without it every name is a key. */
  readonly customerNames?: Pick<CustomerNames, 'resolve'>
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** Bound on a body whose route does not set its own. */
  readonly bodyBytesMax: number
  readonly connections?: Partial<ConnectionBounds>
  /** The server speaks HTTPS. */
  readonly tls?: TlsPair
  /** Addresses and networks whose `X-Forwarded-For` is trusted; none when absent. */
  readonly trustedProxies?: readonly string[]
  /** Connections to the operators' port. */
  readonly operatorSockets?: WeakSet<Socket>
  readonly docsReaders?: DocsReaders
  readonly version?: string
  /** Whose shapes refusals have below their paths; none when absent. */
  readonly vendors?: readonly Vendor[]
}

/** A customer's name of 255 characters, each of four bytes and percent-encoded. */
const PARAM_CHARACTERS_MAX = 3_060

/** The HTTP server without routes of its own but /healthz, /metrics, /openapi.json and /docs; stages register theirs. */
export function createHttpApp(options: HttpAppOptions): HttpApp {
  const { log, registry } = options
  const connections = { ...CONNECTION_BOUNDS, ...options.connections }
  const createRequestId = createRequestIds()
  const refusalShapes = createRefusalShapes(options.vendors ?? [])
  // Node's own refusal of a request without Host has no body; ours is a problem like any other.
  const http = {
    maxHeaderSize: HTTP_BOUNDS.headers.most,
    headersTimeout: connections.headersMs,
    connectionsCheckingInterval: connections.timeoutsCheckMs,
    requireHostHeader: false,
  }
  const app: HttpApp = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyBytesMax,
    trustProxy: options.trustedProxies === undefined || options.trustedProxies.length === 0 ? false : [...options.trustedProxies],
    requestTimeout: connections.requestMs,
    keepAliveTimeout: connections.idleMs,
    ...(options.tls === undefined ? { http } : ({ https: { ...http, ...options.tls, handshakeTimeout: TLS_HANDSHAKE_MS_MAX } } as object)),
    routerOptions: { maxParamLength: PARAM_CHARACTERS_MAX },
    genReqId: createRequestId,
    rewriteUrl: (request) => rewriteConsoleUrl(request) ?? refusalShapes.rewriteUrl?.(request) ?? request.url ?? '/',
    // Our log lines name the request themselves; a child logger for each request would hardly ever be used.
    childLoggerFactory: (logger) => logger,
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => answerUnreadableRequest(error, socket, createRequestId()),
    frameworkErrors: (error, _request, reply) => sendProblem(refusalShapes, reply as unknown as FastifyReply, problemOfError(error)),
  }).withTypeProvider<TypeBoxTypeProvider>()

  const paths = createKnownPaths()
  app.addHook('onRoute', (route) => paths.add(route.url, [route.method].flat()))
  app.removeContentTypeParser('text/plain')
  app.server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) =>
    answerUnmetExpectation(response, createRequestId()),
  )
  nameRequests(app)
  if (options.tls !== undefined) keepToTls(app)
  requireHost(app)
  boundConnections(app, connections, { ...options, createRequestId })
  readJsonBodies(app, options.bodyBytesMax, options.clock)
  validateRequests(app)
  serializeAnswers(app)
  measureRequests(app, log, registry)
  sendAnswersTogether(app)
  admitBrowsers(app)
  authenticateRequests(app, {
    findPrincipal: options.findPrincipal,
    findSignedIn: options.findSignedIn ?? nobody,
    isListedOrigin: options.isListedOrigin ?? (() => false),
    operatorSockets: options.operatorSockets ?? new WeakSet(),
  })
  serveAsMe(app)
  takeTurnsAtHeavyReads(app)
  if (options.customerNames !== undefined) resolveCustomerNames(app, options.customerNames, options.clock)
  holdNarrowedKeys(app)
  honourIdempotencyKeys(app, options.idempotency, options.clock, log)
  nameActors(app)
  answerErrors(app, log, paths, refusalShapes)
  describeApi(app, options.version ?? '0.0.0', options.docsReaders ?? 'everybody')
  app.register(async (routes) => observeRoutes(routes, registry))
  return app
}

async function nobody(): Promise<never> {
  throw new RefusalError(refuse('not_signed_in', {}))
}

/** A random part per process, and a counter. */
function createRequestIds(): () => string {
  const ofProcess = randomBytes(8).toString('hex')
  let requests = 0
  return () => `${ofProcess}-${(++requests).toString(36)}`
}

/** Every answer carries its request's id, as the log does. */
function nameRequests(app: HttpApp): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header(REQUEST_ID_HEADER, request.id)
    done()
  })
}

const REQUEST_ID_HEADER = 'x-request-id'

function observeRoutes(app: HttpApp, registry: Registry): void {
  app.get('/healthz', { schema: HEALTH_SCHEMA }, async () => ({ status: 'ok' as const }))
  app.get('/metrics', { config: OPERATORS, schema: METRICS_SCHEMA }, async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  )
}

const HEALTH_SCHEMA = {
  tags: ['operations'],
  summary: 'Is the process up',
  operationId: 'getHealth',
  response: { 200: Type.Object({ status: Type.Literal('ok') }) },
}

const METRICS_SCHEMA = {
  tags: ['operations'],
  summary: 'Prometheus metrics',
  operationId: 'getMetrics',
  response: { 200: { description: 'Text format of Prometheus', content: { 'text/plain': { schema: Type.String() } } } },
}

function answerErrors(app: HttpApp, log: Logger, paths: KnownPaths, shapes: RefusalShapes): void {
  app.setErrorHandler((error, request, reply) => {
    const answer = problemOfError(error)
    if (answer.problem.status >= 500) {
      log.error(
        { err: error, requestId: request.id, ...traceOf(request), route: request.routeOptions.url, code: answer.problem.code },
        'request failed',
      )
    }
    return sendProblem(shapes, reply, answer)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request)
    const methods = paths.methodsOf(path)
    if (methods.length === 0) {
      return sendProblem(shapes, reply, problemOfRefusal(refuse('not_found', { path })))
    }
    reply.header('allow', methods.join(', '))
    return sendProblem(shapes, reply, problemOfRefusal(refuse('method_not_allowed', { method: request.method, path, methods })))
  })
}

/** The code that refused a request, for its log line. */
const refusedAs = new WeakMap<FastifyRequest, string>()

/** Sent as text, so that no route's response schema can drop fields. */
function sendProblem(shapes: RefusalShapes, reply: FastifyReply, { problem, retryAfterSeconds }: ProblemAnswer): FastifyReply {
  // A route may have set a better value.
  if (retryAfterSeconds !== undefined && !reply.hasHeader('retry-after'))
    reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterSeconds))))
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  refusedAs.set(reply.request, problem.code)
  // A request that the framework refuses before the first hook has no id on its answer yet.
  reply.header(REQUEST_ID_HEADER, reply.request.id)
  const ofVendor = shapes.refusalOf(reply.request.url, { ...problem, requestId: reply.request.id })
  // As bytes: behind the type of a text the framework writes a charset, which a client may not expect.
  if (ofVendor !== null) return reply.code(ofVendor.status).headers(ofVendor.headers).type(ofVendor.contentType).send(ofVendor.body)
  return reply
    .code(problem.status)
    .type(PROBLEM_CONTENT_TYPE)
    .send(JSON.stringify({ ...problem, requestId: reply.request.id }))
}

const TLS_HANDSHAKE_MS_MAX = 10_000
const HSTS_SECONDS = 31_536_000

/** Browsers come back over TLS alone. */
function keepToTls(app: HttpApp): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('strict-transport-security', `max-age=${HSTS_SECONDS}`)
    done()
  })
}

/** RFC 9112, section 3.2. */
function requireHost(app: HttpApp): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.headers.host !== undefined || request.raw.httpVersion !== '1.1') return done()
    done(new RefusalError(refuse('missing_host', {})))
  })
}

/** Node itself answers 100-continue; every other value of `Expect` comes here. */
function answerUnmetExpectation(response: ServerResponse, requestId: string): void {
  const { problem } = problemOfRefusal(refuse('unmet_expectation', {}))
  const headers = { 'content-type': PROBLEM_CONTENT_TYPE, connection: 'close', [REQUEST_ID_HEADER]: requestId }
  response.writeHead(problem.status, headers).end(JSON.stringify({ ...problem, requestId }))
}

/** Bytes that are not even HTTP never reach a route. */
function answerUnreadableRequest(error: Error & { code?: string }, socket: Socket, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  endWithProblem(socket, unreadableRequest(error.code), requestId)
}

function unreadableRequest(code: string | undefined): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refuse('request_timeout', {})
  return code === 'HPE_HEADER_OVERFLOW' ? refuse('headers_too_large', {}) : refuse('bad_request', { part: 'http' })
}

/** One time series per route pattern, never per URL: keys in paths must not become labels or log fields. */
function measureRequests(app: HttpApp, log: Logger, registry: Registry): void {
  const duration = new Histogram({
    name: 'tollgate_http_request_seconds',
    help: 'Time from the request head to the end of the answer',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  })
  // Looked up by route and status, instead of building label objects for each request. Bounded by the number of routes and their statuses.
  const series = new Map<string, Map<number, ReturnType<typeof duration.labels>>>()
  function seriesOf(method: string, route: string, status: number): ReturnType<typeof duration.labels> {
    const name = `${method} ${route}`
    const byStatus = series.get(name) ?? new Map<number, ReturnType<typeof duration.labels>>()
    series.set(name, byStatus)
    const known = byStatus.get(status) ?? duration.labels({ method, route, status })
    byStatus.set(status, known)
    return known
  }
  app.addHook('onResponse', (request, reply, done) => {
    done()
    const tookMs = reply.elapsedTime
    const route = request.routeOptions.url ?? 'unknown'
    seriesOf(request.method, route, reply.statusCode).observe(tookMs / 1000)
    if (reply.statusCode < 400 && !log.isLevelEnabled('debug')) return
    const fields = {
      requestId: request.id,
      ...traceOf(request),
      method: request.method,
      route,
      status: reply.statusCode,
      code: refusedAs.get(request),
      tenant: request.principal?.tenant,
      keyId: request.principal?.keyId,
      tookMs: Math.round(tookMs * 100) / 100,
    }
    if (reply.statusCode < 400) log.debug(fields, 'request answered')
    else log.info(fields, 'request refused')
  })
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? request.url
}
