import { type UsageQuestion, usageQuestions } from '../../../billing/invoices/usage-questions.ts'
import { BILLING_SETTINGS_DEFAULT, type BillingSettings, type BillingState, type UsageOf } from '../../../billing/steps/billing-state.ts'
import { type Decision, DOCUMENTS_PER_RUN_MAX, decideNext, evolve } from '../../../billing/steps/decide-invoice.ts'
import type { CutOff } from '../../../domain/billing/billed.ts'
import type { Coupon } from '../../../domain/billing/coupon.ts'
import type { Credit } from '../../../domain/billing/credit.ts'
import type { InvoiceDocument } from '../../../domain/billing/invoice.ts'
import type { LedgerTransaction } from '../../../domain/billing/ledger-transaction.ts'
import { type Currency, currencyOf, type Money } from '../../../domain/billing/money.ts'
import type { PlanVersion } from '../../../domain/catalog/plan.ts'
import { cancelSubscription, changeInstant, changePlan, phaseAt, type Subscription } from '../../../domain/catalog/subscription.ts'
import {
  type CustomerKey,
  END_OF_TIME_MS,
  type FeatureKey,
  type InstantMs,
  type PlanKey,
  type ProductKey,
  type SubscriptionId,
} from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'

/** The life of one subscription, its usage and its ledger, all in memory: what a run reads and writes, without a store. */
export function createBillingStory(options: StoryOptions): BillingStory {
  const currency = orThrow(currencyOf(options.currency))
  const planVersions = Object.entries(options.plans).map(([plan, given]) => planVersion(plan as PlanKey, options.currency, given))
  const planNamed = (plan: string) => {
    const found = planVersions.find((each) => each.plan === plan)
    if (found === undefined) throw new Error(`no plan ${plan}`)
    return found
  }
  const { startMs } = options
  let subscription: Subscription = {
    ...{ id: 'sub' as SubscriptionId, customer: 'acme' as CustomerKey, startMs, anchorMs: options.anchorMs ?? startMs, endMs: null },
    phases: [{ plan: options.plan as PlanKey, planVersion: 1, startMs, endMs: null }],
    ...options.more,
  }
  let book: Pick<BillingState, 'cursor' | 'baseFees' | 'parts' | 'committed' | 'purse'> = {
    cursor: { baseBilledToMs: null, usageBilledToMs: startMs, version: 0 },
    ...{ baseFees: [], parts: [], committed: null },
    purse: { coupons: options.coupons?.(currency) ?? [], credits: options.credits?.(currency) ?? [], balance: 0n as Money },
  }
  const events: StoryEvent[] = []
  const decisions: Decision[] = []
  const usage: UsageOf = (charge, stretches, { offset }) =>
    events.slice(0, offset).reduce((total, { feature, occurredAtMs, quantityNano }) => {
      const counts = feature === charge.feature && stretches.some((each) => each.startMs <= occurredAtMs && occurredAtMs < each.endMs)
      return counts ? total + quantityNano : total
    }, 0n)
  /** As a run reads usage: all questions of a page at once, before anything is decided. */
  const answersFor = (questions: readonly UsageQuestion[]): UsageOf => {
    const keyOf = (charge: string, stretches: unknown) => `${charge} ${JSON.stringify(stretches)}`
    const answers = new Map(
      questions.map(({ charge, stretches, cutOff }) => [keyOf(charge.key, stretches), usage(charge, stretches, cutOff)]),
    )
    return (charge, stretches) => {
      const answer = answers.get(keyOf(charge.key, stretches))
      if (answer === undefined) throw new Error(`${charge.key} was not asked for in ${JSON.stringify(stretches)}`)
      return answer
    }
  }
  const stateNow = (): BillingState => ({
    ...{ currency, subscription, planVersions, siblings: options.siblings ?? [] },
    settings: { ...BILLING_SETTINGS_DEFAULT, ...options.settings },
    taxes: options.taxes ?? { rates: new Map(), defaults: [], isExempt: false },
    ...book,
    cutOff: { partition: 0, offset: events.length } satisfies CutOff,
    othersBilledToMs: END_OF_TIME_MS,
  })
  const intervalNow = (atMs: InstantMs) => planNamed(phaseAt(subscription, atMs).plan).interval
  return {
    use: (event) => void events.push(event),
    change: (plan, atMs, when = 'now', more = {}) => {
      const moment = orThrow(changeInstant(subscription, intervalNow(atMs), when, atMs))
      subscription = orThrow(changePlan(subscription, { plan: planNamed(plan).plan, planVersion: 1, ...more }, moment))
    },
    cancel: (atMs, when = 'now', more = {}) => {
      const moment = orThrow(changeInstant(subscription, intervalNow(atMs), when, atMs))
      subscription = { ...cancelSubscription(subscription, moment), ...more }
    },
    uncancel: () => {
      const phases = subscription.phases.map((phase, index) =>
        index === subscription.phases.length - 1 ? { ...phase, endMs: null } : phase,
      )
      subscription = { ...subscription, endMs: null, phases }
    },
    run: (nowMs) => {
      const made: Decision[] = []
      while (made.length < DOCUMENTS_PER_RUN_MAX) {
        const decision = orThrow(
          decideNext(stateNow(), nowMs, answersFor(usageQuestions(stateNow(), nowMs)), `inv_${decisions.length + 1}`),
        )
        if (decision === null) break
        const { cursor, baseFees, parts, committed, purse } = evolve(stateNow(), decision)
        book = { cursor, baseFees, parts, committed, purse }
        made.push(decision)
        decisions.push(decision)
      }
      return made
    },
    state: stateNow,
    decisions: () => decisions,
    documents: () => decisions.flatMap(({ document }) => (document === null ? [] : [document])),
    transactions: () =>
      decisions.flatMap(({ documentTransactions, creditTransactions }) => [...documentTransactions, ...creditTransactions]),
    events: () => events,
  }
}

export type StoryOptions = {
  readonly currency: string
  readonly plans: Readonly<Record<string, StoryPlan>>
  readonly plan: string
  readonly startMs: InstantMs
  readonly anchorMs?: InstantMs
  readonly more?: Partial<Subscription>
  readonly settings?: Partial<BillingSettings>
  readonly taxes?: BillingState['taxes']
  readonly siblings?: BillingState['siblings']
  coupons?(currency: Currency): readonly Coupon[]
  credits?(currency: Currency): readonly Credit[]
}

export type StoryPlan = Partial<Omit<PlanVersion, 'charges'>> &
  Pick<PlanVersion, 'interval'> & {
    readonly charges?: readonly (Pick<PlanVersion['charges'][number], 'key' | 'price'> & {
      readonly feature: string
      readonly minimum?: string | undefined
      readonly maximum?: string | undefined
      readonly taxRates?: readonly string[]
    })[]
  }

export type StoryEvent = { readonly feature: string; readonly occurredAtMs: InstantMs; readonly quantityNano: bigint }

type When = 'now' | 'periodEnd'

export type BillingStory = {
  use(event: StoryEvent): void
  change(plan: string, atMs: InstantMs, when?: When, more?: Partial<Subscription['phases'][number]>): void
  cancel(atMs: InstantMs, when?: When, more?: Partial<Subscription>): void
  /** Calls an end off. */
  uncancel(): void
  run(nowMs: InstantMs): readonly Decision[]
  state(): BillingState
  decisions(): readonly Decision[]
  documents(): readonly InvoiceDocument[]
  transactions(): readonly LedgerTransaction[]
  events(): readonly StoryEvent[]
}

function planVersion(plan: PlanKey, currency: string, given: StoryPlan): PlanVersion {
  const charges = (given.charges ?? []).map(({ minimum, maximum, ...charge }) => ({
    ...{ ...charge, feature: charge.feature as FeatureKey, filter: {} },
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
  }))
  const base = { plan, version: 1, product: 'p' as ProductKey, name: plan, currency, baseFee: null, entitlements: [] }
  return { ...base, ...given, charges }
}
