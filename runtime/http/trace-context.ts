import type { FastifyRequest } from 'fastify'

/** The trace that a request belongs to, for its log lines: W3C Trace Context, section 3.2. Empty when it names none. */
export function traceOf(request: FastifyRequest): { readonly traceId?: string; readonly spanId?: string } {
  const { traceparent } = request.headers
  const parts = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent) : null
  const [, version, traceId = '', spanId = '', rest] = parts ?? []
  const isOfVersion = version !== undefined && version !== 'ff' && (version !== '00' || rest === '')
  return isOfVersion && /[^0]/.test(traceId) && /[^0]/.test(spanId) ? { traceId, spanId } : {}
}

/** Later versions may have more fields after the flags. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}((?:-[^,]{0,200})?)$/
