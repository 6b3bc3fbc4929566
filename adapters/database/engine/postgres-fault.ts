import { Fault } from '../../../base/fault.ts'

/** Why the server could not be used: its address (without the password), its message, and the next move. */
export function postgresFault(url: string, error: unknown): Fault {
  const cause = error instanceof Fault && error.cause !== undefined ? error.cause : error
  const why = cause instanceof AggregateError ? String(cause.errors[0]?.message ?? cause.message) : messageOf(cause)
  const code = (cause as { code?: unknown }).code
  const { nextMove, canRetry } = adviceFor(typeof code === 'string' ? code : '', why)
  return new Fault('catalog_unavailable', `The catalog on PostgreSQL (${addressOf(url)}) could not be used: ${why}. ${nextMove}`, {
    canRetry,
    publicText: 'The catalog cannot be reached at the moment. Nothing was changed; try again.',
    cause,
  })
}

function adviceFor(code: string, why: string): { readonly nextMove: string; readonly canRetry: boolean } {
  if (code === '28P01' || code === '28000' || /password/.test(why)) {
    return { nextMove: 'Check the user and password in DATABASE_URL.', canRetry: false }
  }
  if (code === '3D000') return { nextMove: 'Make the database, or check its name at the end of DATABASE_URL.', canRetry: false }
  if (code === '42501') return { nextMove: 'Give this user the right to make tables in the database.', canRetry: false }
  if (/does not support SSL|SSL|certificate|TLS/i.test(why)) {
    return { nextMove: 'Check sslmode in DATABASE_URL, and whether the server speaks TLS.', canRetry: false }
  }
  if (code.startsWith('53')) return { nextMove: 'Let it take more connections: each process needs up to 11.', canRetry: true }
  return { nextMove: 'Check DATABASE_URL and that the server runs.', canRetry: true }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function addressOf(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}
