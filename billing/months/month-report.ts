import type { DueSubscription } from '../../adapters/database/billing-cursors/billing-cursor-store.ts'
import type { BillingInputsReader } from '../../adapters/database/billing-inputs/billing-inputs-reader.ts'
import type { BillingSettingsStore } from '../../adapters/database/billing-settings/billing-settings-store.ts'
import type { BookMonthReader, MonthSums } from '../../adapters/database/book-months/book-month-reader.ts'
import type { InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { isRefusal } from '../../domain/refusal.ts'
import { billingStateOf } from '../runs/billing-states.ts'
import { nextClosing } from '../steps/due.ts'

export type MonthReportDeps = {
  readonly months: BookMonthReader
  readonly inputs: BillingInputsReader
  readonly settings: Pick<BillingSettingsStore, 'get'>
}

export type MonthReport = MonthSums & {
  readonly openCount: number
  /** The first of those that have a document to come for the month. */
  readonly open: readonly OpenSubscription[]
}

/** `dueAtMs`: when the document can be final at the earliest; null when the subscription cannot be billed at all. */
export type OpenSubscription = DueSubscription & { readonly closesAtMs: InstantMs | null; readonly dueAtMs: InstantMs | null }

const OPEN_SHOWN_MAX = 100
const SUBSCRIPTIONS_PER_READ = 1_000

/** What a month came to, and what of it is not final yet: a month is closed when every period that ends by then is. */
export async function readMonth(
  deps: MonthReportDeps,
  tenant: TenantKey,
  month: { readonly fromMs: InstantMs; readonly toMs: InstantMs },
): Promise<MonthReport> {
  const { graceMs } = await deps.settings.get(tenant)
  const open: OpenSubscription[] = []
  let openCount = 0
  for (let after: DueSubscription | null = null; ; ) {
    const page: readonly DueSubscription[] = await deps.months.mayClose(
      tenant,
      { toMs: month.toMs, graceMs },
      after,
      SUBSCRIPTIONS_PER_READ,
    )
    const last = page.at(-1)
    if (last === undefined) break
    const inputs = await deps.inputs.read(tenant, [...new Set(page.map(({ customer }) => customer))])
    for (const each of page) {
      const state = billingStateOf(inputs, each.subscription, NO_CUT_OFF)
      const closing = isRefusal(state) ? null : nextClosing(state)
      const isOpen = isRefusal(state) || (closing !== null && closing.closesAtMs <= month.toMs)
      if (!isOpen) continue
      openCount += 1
      if (open.length < OPEN_SHOWN_MAX) open.push({ ...each, closesAtMs: closing?.closesAtMs ?? null, dueAtMs: closing?.dueAtMs ?? null })
    }
    after = last
  }
  return { ...(await deps.months.sums(tenant, month)), openCount, open }
}

/** When something closes does not depend on usage. */
const NO_CUT_OFF = { partition: 0 as Partition, offset: 0 as Offset }
