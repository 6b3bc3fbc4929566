import PQueue from 'p-queue'
import type { BillingCursorStore, DueSubscription } from '../../adapters/database/billing-cursors/billing-cursor-store.ts'
import type { ClosedPartStore } from '../../adapters/database/closed-parts/closed-part-store.ts'
import type { InTransaction } from '../../adapters/database/in-transaction.ts'
import type { CutOffs } from '../../adapters/usage-store/usage-store.ts'
import { Fault } from '../../base/fault.ts'
import type { CustomerKey, InstantMs, Partition, TenantKey } from '../../domain/identity.ts'
import { partitionOf } from '../../domain/metering/partitioning.ts'
import { isRefusal } from '../../domain/refusal.ts'
import { type BookStores, bookPage } from './book-page.ts'
import { type CutOffDeps, readCutOffs } from './cut-offs.ts'
import { type DecidePageDeps, decidePage, type Page, type SetAside } from './decide-page.ts'
import { lateInputsReader } from './late-inputs.ts'

export type RunBillingDeps = DecidePageDeps &
  CutOffDeps & {
    readonly cursors: Pick<BillingCursorStore, 'due'>
    readonly closedParts: Pick<ClosedPartStore, 'of' | 'having'>
    readonly write: InTransaction<BookStores>
  }

export type BillingRunRequest = {
  readonly tenant: TenantKey
  /** Documents that can be final by this instant are made, and say that they were made then. */
  readonly asOfMs: InstantMs
  /** These alone; absent: all. */
  readonly customers?: readonly CustomerKey[]
  /** Usage of times from here on that came after its late window is billed too. */
  readonly lateFromMs?: InstantMs
  /** Decides and writes nothing. */
  readonly isDry?: boolean
  onPage?(page: { readonly subscriptions: number; readonly finalised: number }): void
}

export type BillingRunReport = {
  readonly cutOffs: CutOffs
  /** Partitions that the usage store has not read far enough of; their customers were left out. */
  readonly behind: readonly Partition[]
  /** Subscriptions that were due. */
  readonly due: number
  /** Subscriptions whose closed parts were counted again. */
  readonly late: number
  readonly finalised: number
  readonly nothingDue: number
  /** Billed or changed by somebody else meanwhile. */
  readonly dropped: number
  readonly setAsideCount: number
  /** The first of those. */
  readonly setAside: readonly { readonly subscription: string; readonly code: string; readonly detail: string }[]
}

const SUBSCRIPTIONS_PER_PAGE = 1_000
/** The next page is read and decided while one is written. */
const PAGES_IN_FLIGHT_MAX = 2
/** Of one run; the rest is due in the next. */
const SUBSCRIPTIONS_PER_RUN_MAX = 200_000
const SET_ASIDE_SHOWN_MAX = 100

/**
 * One pass over all subscriptions of a tenant whose next document can be final. It has no state of its own: the cursors are the
 * queue, so a run that was killed anywhere is simply run again, and any number of processes may run at once.
 */
export async function runBilling(deps: RunBillingDeps, request: BillingRunRequest): Promise<BillingRunReport> {
  const { tenant, asOfMs, customers, lateFromMs } = request
  const { cutOffs, behind } = await readCutOffs(deps)
  const of = { ...(customers !== undefined && { customers }), max: SUBSCRIPTIONS_PER_RUN_MAX }
  const due = await deps.cursors.due(tenant, asOfMs, of)
  const sum = { finalised: 0, nothingDue: 0, dropped: 0, setAsideCount: 0 }
  const setAside: BillingRunReport['setAside'][number][] = []
  const queue = new PQueue({ concurrency: PAGES_IN_FLIGHT_MAX })
  const failures: unknown[] = []
  await runPages(due, {})
  // After all that is due by itself, so that documents stay in the order of time.
  const late = lateFromMs === undefined ? [] : await deps.closedParts.having(tenant, lateFromMs, of)
  if (lateFromMs !== undefined) await runPages(late, { lateFromMs })
  return { cutOffs, behind, due: due.length, late: late.length, ...sum, setAside }

  async function runPages(subscriptions: readonly DueSubscription[], how: HowDecided): Promise<void> {
    const ready = subscriptions.filter(({ customer }) => !behind.includes(partitionOf(tenant, customer, deps.partitions)))
    for (const page of pagesOf(ready)) {
      await queue.onSizeLessThan(1)
      if (failures.length > 0) break
      queue.add(() => runPage(page, how)).catch((error: unknown) => void failures.push(error))
    }
    await queue.onIdle()
    if (failures.length > 0) throw failures[0]
  }

  async function runPage(page: readonly DueSubscription[], how: HowDecided): Promise<void> {
    try {
      const inputs = how.lateFromMs === undefined ? deps.inputs : lateInputsReader(deps.inputs, deps.closedParts, how.lateFromMs)
      const decided = await decidePage({ ...deps, inputs }, { tenant, due: page, cutOffs, nowMs: asOfMs, ...how })
      const booked = request.isDry ? wouldBook(decided) : await bookPage(deps.write, tenant, decided, asOfMs)
      sum.finalised += booked.finalised
      sum.nothingDue += booked.nothingDue
      sum.dropped += booked.dropped
      for (const each of decided.setAside) putAside(each)
      request.onPage?.({ subscriptions: page.length, finalised: booked.finalised })
    } catch (error) {
      if (error instanceof Fault) throw error
      await runEach(page, how, error)
    }
  }

  /** A failure of the whole page is looked for customer by customer, so that one alone is put aside and not its neighbours. */
  async function runEach(page: readonly DueSubscription[], how: HowDecided, error: unknown): Promise<void> {
    const customersOfPage = [...Map.groupBy(page, ({ customer }) => customer).values()]
    if (customersOfPage.length > 1) {
      for (const together of customersOfPage) await runPage(together, how)
      return
    }
    const why = error instanceof Error ? error : new Error(String(error))
    for (const { subscription } of page) putAside({ subscription, why })
  }

  function putAside({ subscription, why }: SetAside): void {
    sum.setAsideCount += 1
    if (setAside.length >= SET_ASIDE_SHOWN_MAX) return
    const [code, detail] = isRefusal(why) ? [why.code, JSON.stringify(why.fields)] : ['internal', why.message]
    setAside.push({ subscription, code, detail })
  }
}

type HowDecided = Pick<Page, 'lateFromMs'>

function wouldBook({ lives }: Awaited<ReturnType<typeof decidePage>>) {
  const documents = lives.flatMap(({ made }) => made.flatMap(({ decision }) => decision.document ?? []))
  const nothingDue = documents.filter(({ status }) => status === 'nothingDue').length
  return { finalised: documents.length - nothingDue, nothingDue, dropped: 0 }
}

/** A customer's subscriptions stay together, as they pay from the same credits. */
function* pagesOf(due: readonly DueSubscription[]): Iterable<readonly DueSubscription[]> {
  let page: DueSubscription[] = []
  for (const [at, each] of due.entries()) {
    if (page.length >= SUBSCRIPTIONS_PER_PAGE && due[at - 1]?.customer !== each.customer) {
      yield page
      page = []
    }
    page.push(each)
  }
  if (page.length > 0) yield page
}
