import type { InstantMs } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuseFields } from '../../domain/refusal.ts'
import type { TimeZone } from '../../domain/time/time-zone.ts'
import { instantJson, parseBound } from '../../schemas/http/instants.ts'

export type TimeRange = { readonly fromMs: InstantMs; readonly toMs: InstantMs }

/** The half-open time of a request. A date is its first instant in the zone; a missing bound comes from the fallback. */
export function parseTimeRange<From extends InstantMs | undefined, To extends InstantMs | undefined>(
  { from, to }: { readonly from?: string | undefined; readonly to?: string | undefined },
  zone: TimeZone,
  otherwise: { readonly fromMs: From; readonly toMs: To },
): Outcome<{ readonly fromMs: InstantMs | From; readonly toMs: InstantMs | To }> {
  const fromMs = from === undefined ? otherwise.fromMs : parseBound(from, 'from', zone)
  if (isRefusal(fromMs)) return fromMs
  const toMs = to === undefined ? otherwise.toMs : parseBound(to, 'to', zone)
  if (isRefusal(toMs)) return toMs
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) {
    const detail = `from (${from ?? instantJson(fromMs)}) must be before to (${to ?? instantJson(toMs)})`
    return refuseFields('invalid_request', [{ field: 'from', code: 'empty_range', detail }])
  }
  return { fromMs, toMs }
}
