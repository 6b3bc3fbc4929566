/** Codes of the world's failures, in answers and log lines. A fault has its own text; this table holds what all faults of a code have in common. */
export type FaultRow = {
  /** Null: the code ends a start or a command, and is never an answer. */
  readonly status: 503 | 500 | null
  readonly means: string
  readonly next: string
}

const TRY_AGAIN = 'Try again after `Retry-After`.'
const ASK_OPERATOR = 'Ask who runs the server: its log says more under the request id.'

export const FAULTS: Readonly<Record<string, FaultRow>> = {
  log_unavailable: { status: 503, means: 'The event log cannot be used. Nothing was kept.', next: TRY_AGAIN },
  log_full: { status: 503, means: 'The event log has no space left. Nothing was kept.', next: TRY_AGAIN },
  log_overloaded: { status: 503, means: 'More events arrive than can be made durable. Nothing was kept.', next: TRY_AGAIN },
  catalog_unavailable: { status: 503, means: 'The catalog cannot be reached. Nothing was changed.', next: TRY_AGAIN },
  files_unavailable: { status: 503, means: 'The file store cannot be used. Nothing of the file was kept.', next: TRY_AGAIN },
  usage_store_unavailable: { status: 503, means: 'The usage store cannot be reached.', next: TRY_AGAIN },
  counters_unavailable: { status: 503, means: 'The counters cannot be used. Nothing was held.', next: TRY_AGAIN },
  too_many_first_balances: {
    status: 503,
    means: 'As many customers wait for their first balance as may, of all tenants or of this one.',
    next: TRY_AGAIN,
  },
  counters_rebuilding: { status: 503, means: 'The counters are catching up, and balances cannot be trusted yet.', next: TRY_AGAIN },
  balance_unavailable: { status: 503, means: 'The balance is still being counted.', next: TRY_AGAIN },
  too_many_reads: { status: 503, means: 'As many reads wait as may.', next: TRY_AGAIN },
  aggregator_stopped: { status: 503, means: 'The process is being stopped.', next: TRY_AGAIN },
  usage_store_rejected: { status: 500, means: 'The usage store rejected a statement.', next: ASK_OPERATOR },
  record_undecodable: { status: 500, means: 'A record of the event log cannot be decoded.', next: ASK_OPERATOR },
  log_corrupt: { status: 500, means: 'The event log is damaged, or does not fit the stored usage.', next: ASK_OPERATOR },
  internal_error: { status: 500, means: 'The server met an error of its own.', next: ASK_OPERATOR },
  log_truncated: { status: null, means: 'The event log is cut off.', next: 'Restore the file that the text names.' },
  log_partitions_differ: {
    status: null,
    means: 'The event log was made with another number of partitions.',
    next: 'Start with that number.',
  },
  log_behind_usage_store: { status: null, means: 'The event log was lost or replaced by an older one.', next: 'Restore the log.' },
  log_trimmed_too_far: { status: null, means: 'Records are gone that the usage store has not read.', next: 'Restore them.' },
  counters_rejected: { status: null, means: 'The counters on Redis are of another installation.', next: 'Do as the text says.' },
  counters_truncated: { status: null, means: 'The file of the counters is cut off.', next: 'Do as the text says.' },
  counters_unreadable: { status: null, means: 'The counters are of another version.', next: 'Do as the text says.' },
  partitions_in_use: { status: null, means: 'Another process aggregates the partitions.', next: 'Stop it, then run the command again.' },
  replay_overtaken: { status: null, means: 'A meter changed during a replay. Nothing was swapped.', next: 'Run it again.' },
}
