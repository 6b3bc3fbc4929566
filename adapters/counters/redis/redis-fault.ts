import { Fault } from '../../../base/fault.ts'

/** The port's Fault for a script that failed or a server that did not answer: where, why, and the next move. */
export function redisFault(address: string, error: unknown): Fault {
  if (error instanceof Fault) return error
  const why = reasonOf(error)
  const { nextMove, canRetry } = adviceFor(why)
  return new Fault('counters_unavailable', `The counters on Redis (${address}) could not be used: ${why}. ${nextMove}`, {
    canRetry,
    publicText: 'Counters cannot be used at the moment; try again.',
    cause: error,
  })
}

export function unconfirmedFault(address: string): Fault {
  const text = `The counters on Redis (${address}) may have lost something: the server was restarted or replaced since they were last confirmed. Their aggregator confirms or rebuilds them; when none runs, start one.`
  return new Fault('counters_rebuilding', text, {
    canRetry: true,
    publicText: 'Usage is being counted again after a restart, so a limit cannot be judged yet; try again.',
  })
}

export function foreignFault(address: string, key: string, database: string): Fault {
  const text = `The stores do not belong together: the counters on Redis (${address}) are of another installation than ${database}. Nothing was changed. Set REDIS_KEY_PREFIX to a prefix of this installation's own, or, when the other one is gone for good, delete the key ${key}: the counters are then counted anew.`
  return new Fault('counters_rejected', text, { canRetry: false, publicText: 'Counters cannot be used.' })
}

/** Some errors of the socket wrap one error per address that was tried. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  if (!(error instanceof Error)) return String(error)
  return error.message !== '' ? error.message.replace(/\.$/, '') : error.name
}

function adviceFor(why: string): { readonly nextMove: string; readonly canRetry: boolean } {
  for (const { when, nextMove, canRetry } of ADVICE) if (when.test(why)) return { nextMove, canRetry }
  return { nextMove: 'Check REDIS_URL and the log of the server.', canRetry: true }
}

const ADVICE: readonly { readonly when: RegExp; readonly nextMove: string; readonly canRetry: boolean }[] = [
  { when: /WRONGPASS|NOAUTH|AUTH/, nextMove: 'Check the user and password in REDIS_URL.', canRetry: false },
  { when: /NOPERM/, nextMove: 'Give this user the right: all commands but those of administration, and INFO.', canRetry: false },
  { when: /DB index|SELECT is not allowed/, nextMove: 'Check the number of the database at the end of REDIS_URL.', canRetry: false },
  { when: /unknown command|Unexpected engine|shebang/i, nextMove: 'Redis 7.0 or Valkey 7.2 is the least that is needed.', canRetry: false },
  { when: /^OOM|out of memory/, nextMove: 'Give the server more memory; its maxmemory-policy must be noeviction.', canRetry: true },
  { when: /^READONLY/, nextMove: 'It is a replica: let REDIS_URL name the primary.', canRetry: true },
  { when: /^MISCONF/, nextMove: 'It cannot write to its disk: see its log.', canRetry: true },
  { when: /^LOADING|^MASTERDOWN|^BUSY|^CLUSTERDOWN|^TRYAGAIN|^ASK|^MOVED/, nextMove: 'This passes by itself.', canRetry: true },
  { when: /certificate|self.signed/i, nextMove: 'Check its certificate, and the authority in NODE_EXTRA_CA_CERTS.', canRetry: true },
  {
    // A server that speaks another protocol waits for more bytes, or hangs up.
    when: /wrong version number|SSL|TLS|packet length|Protocol error|Socket closed|ECONNRESET|did not answer|Connection timeout/i,
    nextMove: 'Check that it is a Redis that is up, and whether it speaks TLS: rediss:// with it, redis:// without.',
    canRetry: true,
  },
  {
    when: /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/,
    nextMove: 'Check REDIS_URL and that the server runs.',
    canRetry: true,
  },
]
