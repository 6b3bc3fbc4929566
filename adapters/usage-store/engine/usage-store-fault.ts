import { Fault } from '../../../base/fault.ts'

/**
 * Temporary errors of the engine: overload, limits of the moment, a disk in trouble, lost replicas. A failure without an answer
 * of the engine (no route, reset, timeout) is temporary too. Every other error is of a statement that will fail again.
 */
const PASSING_ERROR_CODES: ReadonlySet<string> = new Set([
  '74', // CANNOT_READ_FROM_FILE_DESCRIPTOR
  '75', // CANNOT_WRITE_TO_FILE_DESCRIPTOR: among others a full disk
  '76', // CANNOT_OPEN_FILE
  '159', // TIMEOUT_EXCEEDED
  '164', // READONLY: a replica that is catching up
  '172', // CANNOT_CREATE_DIRECTORY
  '202', // TOO_MANY_SIMULTANEOUS_QUERIES
  '204', // CANNOT_FSYNC
  '209', // SOCKET_TIMEOUT
  '210', // NETWORK_ERROR
  '236', // ABORTED
  '241', // MEMORY_LIMIT_EXCEEDED
  '242', // TABLE_IS_READ_ONLY
  '243', // NOT_ENOUGH_SPACE
  '252', // TOO_MANY_PARTS
  '279', // ALL_CONNECTION_TRIES_FAILED: a shard is away
  '285', // TOO_FEW_LIVE_REPLICAS
  '286', // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE: another insert is under way
  '289', // REPLICA_IS_NOT_IN_QUORUM: it lags
  '294', // CANNOT_WRITE_TO_FILE
  '319', // UNKNOWN_STATUS_OF_INSERT
  '394', // QUERY_WAS_CANCELLED
  '425', // SYSTEM_ERROR
  '586', // CANNOT_CREATE_FILE
  '999', // KEEPER_EXCEPTION
])

export function toUsageStoreFault(error: unknown, address: string): Fault {
  if (error instanceof Fault) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = engineErrorCode(error)
  if (code !== null && !PASSING_ERROR_CODES.has(code)) {
    return new Fault(
      'usage_store_rejected',
      `the usage store at ${address} rejected a statement: ${message}${adviceFor(address, code, message)}`,
      {
        canRetry: false,
        publicText: 'The usage store could not answer this request.',
        cause: error,
      },
    )
  }
  return new Fault(
    'usage_store_unavailable',
    `the usage store at ${address} did not answer: ${message}${adviceFor(address, code, message)}`,
    {
      canRetry: true,
      publicText: 'The usage store is not available at the moment. Try again shortly.',
      cause: error,
    },
  )
}

/** The next move for the person who set the address; a store in this process has none. */
function adviceFor(address: string, code: string | null, message: string): string {
  if (!/^https?:/.test(address)) return ''
  if (code === '516' || code === '193') return '. Check the user and password in CLICKHOUSE_URL.'
  if (code === '81') return '. Check the database at the end of CLICKHOUSE_URL.'
  if (code === '701') return '. CLICKHOUSE_CLUSTER must be one of the remote_servers in its configuration.'
  if (code === '497') return '. Give this user the rights to make and use the tables of the database.'
  if (code !== null) return ''
  if (/wrong version number|EPROTO|SSL|TLS|certificate|Parse Error|hang up/i.test(message)) {
    return '. Check whether the server speaks TLS there: https:// with it, http:// without.'
  }
  return '. Check CLICKHOUSE_URL and that the server runs.'
}

/** Null when the engine never answered. Read by shape, as the client and chDB each have their own error classes. */
export function engineErrorCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const { code, clickhouseCode } = error as { code?: unknown; clickhouseCode?: unknown }
  if (typeof clickhouseCode === 'number') return String(clickhouseCode)
  return typeof code === 'string' && /^\d+$/.test(code) ? code : null
}
