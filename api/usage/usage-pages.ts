import type { UsagePage, UsageRow } from '../../adapters/usage-store/usage-store.ts'
import { openCursor, sealCursor } from '../../base/sealed-cursor.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { type Outcome, RefusalError, refuse } from '../../domain/refusal.ts'
import type { CalendarUsageRequest } from '../../usage/calendar-usage.ts'
import { usagePlaceOf } from '../../usage/usage-rows.ts'
import { USAGE_BOUNDS } from './usage-bounds.ts'

export const USAGE_CURSOR_CHARS_MAX = USAGE_BOUNDS.usageCursor.most

/** Rows of one question, in their order. A cursor goes on with the same question alone. */
export type UsageQuestion = Omit<CalendarUsageRequest, 'rowsMax' | 'page'>

/** The page that a cursor leads to; the first one without. */
export function usagePageAt(tenant: TenantKey, meter: Meter, question: UsageQuestion, cursor: string | undefined): Outcome<UsagePage> {
  if (cursor === undefined) return { after: null }
  const place = openCursor(listOf(tenant, meter, question), cursor)
  if (place === null) return refuse('invalid_cursor', {})
  const [windowStartMs, ...groups] = JSON.parse(place) as [InstantMs | null, ...string[]]
  return { after: { windowStartMs, groups } }
}

/** What is shown of one row more than the page has; throws the refusal `cursor_too_long`. */
export function shownUsage(tenant: TenantKey, meter: Meter, question: UsageQuestion, rows: readonly UsageRow[], limit: number) {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  if (rows.length <= limit || last === undefined) return { shown, nextCursor: null }
  const { windowStartMs, groups } = usagePlaceOf(last, question.groupBy)
  const nextCursor = sealCursor(listOf(tenant, meter, question), JSON.stringify([windowStartMs, ...groups]))
  if (nextCursor.length <= USAGE_CURSOR_CHARS_MAX) return { shown, nextCursor }
  throw new RefusalError(refuse('cursor_too_long', { characters: nextCursor.length, charactersMax: USAGE_CURSOR_CHARS_MAX }))
}

function listOf(tenant: TenantKey, { key, revision }: Meter, question: UsageQuestion): string {
  const { customers, fromMs, toMs, window, timezone, groupBy, filter } = question
  return JSON.stringify(['usage', tenant, key, revision, customers, fromMs, toMs, window, timezone, groupBy, filter])
}
