import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../base/clock.ts'
import { refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { endWithProblem } from './bodies/raw-answer.ts'
import { HTTP_BOUNDS } from './http-bounds.ts'

export type ConnectionBounds = {
  /** One address may have half of them. */
  readonly connectionsMax: number
  /** What a body must bring in each span that we wait for its sender. */
  readonly bodyBytesPerSecondMin: number
  readonly bodyCheckMs: number
  readonly headersMs: number
  readonly requestMs: number
  readonly idleMs: number
  /** How late the last three may be noticed. */
  readonly timeoutsCheckMs: number
}

export const CONNECTION_BOUNDS: ConnectionBounds = {
  connectionsMax: HTTP_BOUNDS.connections.most,
  bodyBytesPerSecondMin: HTTP_BOUNDS.bodyRate.most,
  bodyCheckMs: 5_000,
  headersMs: HTTP_BOUNDS.headersTime.most * 1_000,
  requestMs: HTTP_BOUNDS.requestTime.most * 1_000,
  idleMs: HTTP_BOUNDS.idleTime.most * 1_000,
  timeoutsCheckMs: 5_000,
}
/** Slow spans in a row until the body is given up. The span that it began in is not counted. */
const SLOW_CHECKS_MAX = 2

/** Connections are bounded, in all and per address, and a body that trickles is ended: what it holds is others' again. */
export function boundConnections(
  app: HttpApp,
  bounds: ConnectionBounds,
  options: { readonly clock: Pick<Clock, 'every'>; readonly registry: Registry; readonly createRequestId: () => string },
): void {
  const open = new Map<Socket, Connection>()
  const openOfAddress = new Map<string, number>()
  const perAddressMax = Math.ceil(bounds.connectionsMax / 2)
  const ended = createMetrics(options.registry, open)

  function add(socket: Socket): void {
    const address = socket.remoteAddress ?? ''
    const ofAddress = openOfAddress.get(address) ?? 0
    const isFull = open.size >= bounds.connectionsMax
    if (isFull || ofAddress >= perAddressMax) {
      ended.inc({ reason: 'too_many_connections' })
      const limit = isFull ? bounds.connectionsMax : perAddressMax
      endWithProblem(socket, refuse('too_many_connections', { per: isFull ? 'server' : 'address', limit }), options.createRequestId())
      return
    }
    open.set(socket, { exchange: null, bytesBefore: 0, slowChecks: 0 })
    openOfAddress.set(address, ofAddress + 1)
    socket.once('close', () => {
      open.delete(socket)
      const left = (openOfAddress.get(address) ?? 1) - 1
      if (left === 0) openOfAddress.delete(address)
      else openOfAddress.set(address, left)
    })
  }

  function check(): void {
    const bytesMin = (bounds.bodyBytesPerSecondMin * bounds.bodyCheckMs) / 1_000
    for (const [socket, connection] of open) {
      const bytes = socket.bytesRead - connection.bytesBefore
      connection.bytesBefore = socket.bytesRead
      connection.slowChecks = bytes < bytesMin && isWaitedFor(connection) ? connection.slowChecks + 1 : 0
      if (connection.slowChecks > SLOW_CHECKS_MAX) endSlowBody(socket, connection)
    }
  }

  function endSlowBody(socket: Socket, { exchange }: Connection): void {
    ended.inc({ reason: 'body_too_slow' })
    if (exchange?.response.headersSent === true) socket.destroy()
    else endWithProblem(socket, refuse('body_too_slow', { bytesPerSecondMin: bounds.bodyBytesPerSecondMin }), options.createRequestId())
  }

  // Requests come over the encrypted connection; those whose handshake is not done are bounded by the server itself.
  if (app.server instanceof TlsServer) app.server.maxConnections = bounds.connectionsMax
  app.server.on(app.server instanceof TlsServer ? 'secureConnection' : 'connection', add)
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const connection = open.get(request.socket)
    if (connection !== undefined) connection.exchange = { request, response }
  })
  const stopChecking = options.clock.every(bounds.bodyCheckMs, check)
  app.addHook('onClose', async () => stopChecking())
}

type Connection = {
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse } | null
  bytesBefore: number
  slowChecks: number
}

/** Whether all that came was taken and there is more to come. Where bytes lie unread we are the slow ones. */
function isWaitedFor({ exchange }: Connection): boolean {
  return exchange !== null && !exchange.request.complete && exchange.request.readableLength === 0
}

function createMetrics(registry: Registry, open: ReadonlyMap<Socket, unknown>): Counter<'reason'> {
  const registers = [registry]
  new Gauge({
    name: 'tollgate_http_connections',
    help: 'Open connections',
    registers,
    collect() {
      this.set(open.size)
    },
  })
  return new Counter({
    name: 'tollgate_http_connections_ended_total',
    help: 'Connections that the server ended or did not take, beyond their bounds',
    labelNames: ['reason'] as const,
    registers,
  })
}
