import { CREDIT_PRIORITY_DEFAULT, type Credit } from '../../domain/billing/credit.ts'
import { creditPosted } from '../../domain/billing/ledger-transaction.ts'
import { zero } from '../../domain/billing/money.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { moneyOfPlan } from '../steps/base-fees.ts'
import type { BillingState } from '../steps/billing-state.ts'
import type { Closing } from '../steps/due.ts'
import { serviceParts } from '../steps/service-parts.ts'
import type { Expired } from './expiry.ts'

/** The credits that the plan grants at the start of the period that a document opens: once per period, however often it is run. */
export function grantPlanCredits<C extends string>(state: BillingState<C>, { kind, closesAtMs, baseToMs }: Closing): Expired<C> {
  if (kind !== 'opening' && kind !== 'cycle') return { credits: [], transactions: [] }
  const [part] = serviceParts(state, { startMs: closesAtMs, endMs: (closesAtMs + 1) as InstantMs })
  const credits = (part?.plan.credits ?? []).map((credit, index): Credit<C> => {
    return {
      id: `${state.subscription.id}/${closesAtMs}/${index + 1}`,
      ...{ amount: moneyOfPlan(state.currency, credit.amount), paid: zero(), priority: credit.priority ?? CREDIT_PRIORITY_DEFAULT },
      ...{ effectiveAtMs: closesAtMs, expiresAtMs: credit.expires === 'never' ? null : baseToMs, createdAtMs: closesAtMs },
      ...{ appliesTo: { kinds: null, features: null }, burned: zero(), expired: zero(), voided: zero() },
    }
  })
  return { credits, transactions: credits.map((credit) => creditPosted(`credit/${credit.id}`, credit, zero<C>())) }
}
