import type { DueSubscription } from '../../adapters/database/billing-cursors/billing-cursor-store.ts'
import type { BillingInputsReader } from '../../adapters/database/billing-inputs/billing-inputs-reader.ts'
import type { CutOffs } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import type { BillingBook } from '../../domain/billing/billing-book.ts'
import { accountName, type BillingAccount, type BillingInputs } from '../../domain/billing/billing-inputs.ts'
import type { CustomerKey, InstantMs, Offset, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { partitionOf } from '../../domain/metering/partitioning.ts'
import { isRefusal, type Refusal, RefusalError } from '../../domain/refusal.ts'
import { MINUTE_MS } from '../../domain/time/durations.ts'
import type { UsageReader } from '../../usage/usage-reader.ts'
import { questionsOf, usageQuestions } from '../invoices/usage-questions.ts'
import type { BillingState } from '../steps/billing-state.ts'
import { type Decision, DOCUMENTS_PER_RUN_MAX, decideLate, decideNext, evolve } from '../steps/decide-invoice.ts'
import { nextClosing } from '../steps/due.ts'
import { isPaused } from '../steps/manual-lines.ts'
import { partsSince } from '../steps/plan-parts.ts'
import { planOf } from '../steps/service-parts.ts'
import { billedTo, billingStateOf, NO_ACCOUNT, othersOf } from './billing-states.ts'
import { readPageUsage } from './page-usage.ts'

export type DecidePageDeps = {
  readonly inputs: BillingInputsReader
  readonly usageReader: Pick<UsageReader, 'period' | 'periods' | 'isComplete'>
  readonly partitions: number
  createInvoiceId(nowMs: InstantMs, decision: number): string
}

/** What is asked of a page: all due subscriptions of some customers. */
export type Page = {
  readonly tenant: TenantKey
  readonly due: readonly DueSubscription[]
  readonly cutOffs: CutOffs
  readonly nowMs: InstantMs
  /** Parts that end after this instant are counted again, and nothing else is decided. */
  readonly lateFromMs?: InstantMs
  /** The most documents of a subscription; 60 when absent. */
  readonly documentsMax?: number
}

export type DecidedPage = {
  readonly inputs: BillingInputs
  /** In the order of the page. */
  readonly lives: readonly DecidedLife[]
  readonly setAside: readonly SetAside[]
}

/** What a run makes of one subscription. */
export type DecidedLife = {
  readonly subscription: SubscriptionId
  readonly customer: CustomerKey
  readonly currency: string
  readonly fromVersion: number
  readonly made: readonly Made[]
  readonly book: BillingBook
  readonly nextDueMs: InstantMs | null
  /** Of the customer in this currency, after all that the page decides; `fromAccountVersion` is what it was read as. */
  readonly account: BillingAccount
  readonly fromAccountVersion: number
}

/** A decision, and the state that it was made from. */
export type Made = { readonly state: BillingState; readonly decision: Decision }

/** One that cannot be billed does not hold up the others. */
export type SetAside = { readonly subscription: SubscriptionId; readonly why: Refusal | Error }

type Life = { state: BillingState; readonly fromVersion: number; readonly made: Made[]; isDone: boolean }

/**
 * Decides all documents of a page that can be made final, in rounds: each asks for the usage of one decision of each customer,
 * reads it at once and decides. The subscriptions of one customer go one after the other, as they pay from the same credits.
 */
export async function decidePage(deps: DecidePageDeps, page: Page): Promise<DecidedPage> {
  const { tenant, due, nowMs, cutOffs, lateFromMs, documentsMax = DOCUMENTS_PER_RUN_MAX } = page
  const inputs = await deps.inputs.read(tenant, [...new Set(due.map(({ customer }) => customer))])
  const counting = await metersCounting(deps, inputs)
  const books = new Map(inputs.books)
  const accounts = new Map(inputs.accounts)
  const lives = new Map<SubscriptionId, Life>()
  const setAside = new Map<SubscriptionId, SetAside['why']>()
  for (const { subscription, customer } of due) {
    attempt(subscription, () => {
      const partition = partitionOf(tenant, customer, deps.partitions)
      const state = billingStateOf(inputs, subscription, { partition, offset: cutOffs.get(partition) ?? (0 as Offset) })
      if (isRefusal(state)) throw new RefusalError(state)
      lives.set(subscription, { state, fromVersion: state.cursor.version, made: [], isDone: false })
    })
  }
  for (let open = nextOfEach(lives); open.length > 0; open = nextOfEach(lives)) {
    const asked = open.flatMap((life) => {
      const { id } = life.state.subscription
      return (
        attempt(id, () => {
          life.state = upToDate(life.state)
          const questions =
            lateFromMs === undefined ? usageQuestions(life.state, nowMs) : questionsOf(life.state, partsSince(life.state, lateFromMs))
          refuseCounting(questions.map(({ charge }) => charge.feature))
          return [{ life, state: life.state, questions }]
        }) ?? []
      )
    })
    const usageOf = await readPageUsage(deps.usageReader, inputs, asked, cutOffs)
    for (const { life } of asked) attempt(life.state.subscription.id, () => decideOnce(life, usageOf(life.state.subscription.id)))
  }
  return {
    inputs,
    // Where late usage changes nothing the cursor stays, and the parts that were read for it stay closed.
    lives: [...lives.values()].filter(({ made }) => lateFromMs === undefined || made.length > 0).map((life) => decidedLife(life)),
    setAside: [...setAside].map(([subscription, why]) => ({ subscription, why })),
  }

  /** With what the customer's other subscriptions have left. */
  function upToDate(state: BillingState): BillingState {
    const { subscription, currency, purse } = state
    const { balance, credits } = accounts.get(accountName(subscription.customer, currency.code)) ?? NO_ACCOUNT
    const others = othersOf(inputs, subscription)
    const othersBilledToMs = billedTo({ books, planVersions: inputs.planVersions }, others, currency)
    return { ...state, othersBilledToMs, purse: { ...purse, balance, credits } }
  }

  function decideOnce(life: Life, usage: Parameters<typeof decideNext>[2]): void {
    const { state } = life
    const invoiceId = deps.createInvoiceId(nowMs, state.cursor.version + 1)
    const decision =
      lateFromMs === undefined ? decideNext(state, nowMs, usage, invoiceId) : decideLate(state, lateFromMs, nowMs, usage, invoiceId)
    if (isRefusal(decision)) throw new RefusalError(decision)
    if (decision === null) {
      life.isDone = true
      return
    }
    life.made.push({ state, decision })
    life.isDone = lateFromMs !== undefined || life.made.length >= documentsMax
    life.state = evolve(state, decision)
    const { cursor, baseFees, parts, committed, purse } = decision
    books.set(state.subscription.id, { cursor, baseFees, parts, committed })
    const name = accountName(state.subscription.customer, state.currency.code)
    accounts.set(name, { ...(accounts.get(name) ?? NO_ACCOUNT), balance: purse.balance, credits: purse.credits })
  }

  function refuseCounting(features: readonly string[]): void {
    const refusal = inputs.features.flatMap(({ key, meter }) => (features.includes(key) ? (counting.get(meter ?? '') ?? []) : []))[0]
    if (refusal !== undefined) throw new RefusalError(refusal)
  }

  /** A failure is that of one subscription: it is left as it was before. */
  function attempt<Value>(id: SubscriptionId, work: () => Value): Value | undefined {
    try {
      return work()
    } catch (error) {
      setAside.set(id, error instanceof RefusalError ? error.refusal : error instanceof Error ? error : new Error(String(error)))
      const life = lives.get(id)
      if (life !== undefined) life.isDone = true
      return undefined
    }
  }

  function decidedLife({ state, made, fromVersion }: Life): DecidedLife {
    const { subscription, currency, cursor, baseFees, parts, committed } = state
    const name = accountName(subscription.customer, currency.code)
    return {
      ...{ subscription: subscription.id, customer: subscription.customer, currency: currency.code, fromVersion, made },
      book: { cursor, baseFees, parts, committed },
      nextDueMs: setAside.has(subscription.id) ? nowMs : nextDue(state, nowMs),
      account: accounts.get(name) ?? NO_ACCOUNT,
      fromAccountVersion: inputs.accounts.get(name)?.version ?? 0,
    }
  }
}

/** The first of each customer that may have more to decide. */
function nextOfEach(lives: ReadonlyMap<SubscriptionId, Life>): readonly Life[] {
  const byCustomer = new Map<CustomerKey, Life>()
  for (const life of lives.values()) {
    const { customer } = life.state.subscription
    if (!life.isDone && !byCustomer.has(customer)) byCustomer.set(customer, life)
  }
  return [...byCustomer.values()]
}

/** Refusals of the meters that still count what came before them, by key. */
async function metersCounting({ usageReader }: DecidePageDeps, { meters }: BillingInputs): Promise<ReadonlyMap<string, Refusal>> {
  const counting = new Map<string, Refusal>()
  for (const meter of meters) {
    if (await usageReader.isComplete(meter)) continue
    counting.set(meter.key, { kind: 'refusal', code: 'meter_backfilling', fields: { meter: meter.key } })
  }
  return counting
}

/** When the next document can be final. A threshold is looked at every minute. */
function nextDue(state: BillingState, nowMs: InstantMs): InstantMs | null {
  const { subscription, planVersions } = state
  const closing = nextClosing(state)
  if (closing !== null && closing.dueAtMs <= nowMs && isPaused(state, closing)) return null
  const isOver = subscription.endMs !== null && subscription.endMs <= nowMs
  const hasThreshold = subscription.phases.some((phase) => planOf({ subscription, planVersions }, phase).thresholdAmount !== undefined)
  if (!hasThreshold || isOver) return closing?.dueAtMs ?? null
  invariant(closing !== null, 'a subscription that runs has a document to come')
  return Math.min(closing.dueAtMs, Math.max(nowMs, subscription.startMs) + MINUTE_MS) as InstantMs
}
