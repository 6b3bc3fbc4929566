import { Fault } from '../../../base/fault.ts'
import { lmdbFailure, type OnPanic } from '../../lmdb/lmdb-failure.ts'

export async function logFaultOf(
  error: unknown,
  { path, onPanic }: { readonly path: string; readonly onPanic?: OnPanic },
  bytes: number,
): Promise<Fault> {
  const { cause, isFull, isPanic, text } = await lmdbFailure(error, path, bytes)
  const fault = isFull ? logFull(text, cause) : logUnavailable(text, cause)
  if (isPanic) onPanic?.(fault)
  return fault
}

export function logFull(why: string, cause?: unknown): Fault {
  return new Fault('log_full', `The event log is full: ${why}. Make space, or shorten its retention.`, {
    canRetry: true,
    publicText: 'There is no space to keep more events. Nothing of this append was kept.',
    cause,
  })
}

export function logUnavailable(why: string, cause?: unknown): Fault {
  return new Fault('log_unavailable', `The event log cannot be used: ${why}.`, {
    canRetry: true,
    publicText: 'The event log cannot be written at the moment.',
    cause,
  })
}
