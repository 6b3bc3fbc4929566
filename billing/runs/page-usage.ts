import type { CutOffs } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import type { InvoiceInputs } from '../../domain/billing/invoice-inputs.ts'
import type { Charge } from '../../domain/catalog/plan.ts'
import type { CustomerKey, Period, SubscriptionId } from '../../domain/identity.ts'
import type { UsageReader } from '../../usage/usage-reader.ts'
import { type BillablePart, readBillableUsage } from '../invoices/billable-usage.ts'
import type { UsageQuestion } from '../invoices/usage-questions.ts'
import type { BillingState, UsageOf } from '../steps/billing-state.ts'

/** What a subscription's next decision asks for. */
export type AskedOf = { readonly state: BillingState; readonly questions: readonly UsageQuestion[] }

/** All usage that some decisions ask for, as of the cut-offs or as of now: one query per meter and shape for all of them. */
export async function readPageUsage(
  usageReader: Pick<UsageReader, 'period' | 'periods'>,
  inputs: Pick<InvoiceInputs, 'features' | 'meters'>,
  asked: readonly AskedOf[],
  cutOffs?: CutOffs,
): Promise<(id: SubscriptionId) => UsageOf> {
  const parts = asked.flatMap(({ state, questions }) => partsOf(state.subscription.id, state.subscription.customer, questions))
  const usage = await readBillableUsage(usageReader, inputs, parts, cutOffs)
  const answers = new Map(
    parts.flatMap(({ name, planVersion }, at) => planVersion.charges.map(({ key }) => [`${name} ${key}`, usage[at]?.get(key) ?? 0n])),
  )
  return (id) => (charge, stretches) => {
    const answer = answers.get(`${nameOf(id, stretches)} ${charge.key}`)
    invariant(answer !== undefined, `usage of charge ${charge.key} was asked for before it is decided by`)
    return answer
  }
}

type NamedPart = BillablePart & { readonly name: string }

/** Charges that are counted over the same stretches are read together. */
function partsOf(id: SubscriptionId, customer: CustomerKey, questions: readonly UsageQuestion[]): readonly NamedPart[] {
  const byStretches = Map.groupBy(questions, ({ stretches }) => nameOf(id, stretches))
  return [...byStretches].map(([name, together]) => {
    const charges = [...new Set(together.map(({ charge }) => charge))]
    return { name, customer, stretches: together[0]?.stretches ?? [], planVersion: sameCharges(charges) }
  })
}

function nameOf(id: SubscriptionId, stretches: readonly Period[]): string {
  return `${id} ${stretches.map(({ startMs, endMs }) => `${startMs}-${endMs}`).join(' ')}`
}

/** One object for equal lists, as shapes are worked out once for each. Lives as long as the plan that was read for a page. */
const LISTS = new WeakMap<Charge, { readonly charges: readonly Charge[] }[]>()

function sameCharges(charges: readonly Charge[]): { readonly charges: readonly Charge[] } {
  const [first] = charges
  if (first === undefined) return { charges }
  const known = LISTS.get(first) ?? []
  LISTS.set(first, known)
  const found = known.find((list) => list.charges.length === charges.length && list.charges.every((charge, at) => charge === charges[at]))
  if (found !== undefined) return found
  const list = { charges }
  known.push(list)
  return list
}
