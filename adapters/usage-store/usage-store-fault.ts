import { Fault } from '../../domain/fault.ts'

/**
 * Errors of the engine that pass: overload, limits of the moment, lost replicas. What is not an answer of the engine at
 * all (no route, reset, timeout) passes too. Everything else is a statement that will fail again.
 */
const PASSING_ERROR_CODES: ReadonlySet<string> = new Set([
  '159', // TIMEOUT_EXCEEDED
  '164', // READONLY: a replica that is catching up
  '202', // TOO_MANY_SIMULTANEOUS_QUERIES
  '209', // SOCKET_TIMEOUT
  '210', // NETWORK_ERROR
  '236', // ABORTED
  '241', // MEMORY_LIMIT_EXCEEDED
  '242', // TABLE_IS_READ_ONLY
  '243', // NOT_ENOUGH_SPACE
  '252', // TOO_MANY_PARTS
  '285', // TOO_FEW_LIVE_REPLICAS
  '319', // UNKNOWN_STATUS_OF_INSERT
  '394', // QUERY_WAS_CANCELLED
  '425', // SYSTEM_ERROR
  '999', // KEEPER_EXCEPTION
])

export function toUsageStoreFault(error: unknown, address: string): Fault {
  if (error instanceof Fault) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = engineErrorCode(error)
  if (code !== null && !PASSING_ERROR_CODES.has(code)) {
    return new Fault('usage_store_rejected', `the usage store at ${address} rejected a statement: ${message}`, {
      canRetry: false,
      publicText: 'The usage store could not answer this request.',
      cause: error,
    })
  }
  return new Fault('usage_store_unavailable', `the usage store at ${address} did not answer: ${message}`, {
    canRetry: true,
    publicText: 'The usage store is not available at the moment. Try again shortly.',
    cause: error,
  })
}

/** Null when the engine never answered. Read by shape: the client and chDB each bring their own error classes. */
function engineErrorCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const { code, clickhouseCode } = error as { code?: unknown; clickhouseCode?: unknown }
  if (typeof clickhouseCode === 'number') return String(clickhouseCode)
  return typeof code === 'string' && /^\d+$/.test(code) ? code : null
}
