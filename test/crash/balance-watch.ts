import { decimalOf, exactOf } from '../support/exact-decimal.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import { Difference } from './difference.ts'
import type { HoldRecords } from './hold-record.ts'
import type { Ledger } from './ledger.ts'
import type { RetryingClient } from './retrying-client.ts'
import { CREDITS, type EntitlementSpec, type World } from './world.ts'

export type BalanceBody = {
  readonly feature: string
  readonly limit: string | null
  readonly used: string
  readonly held: string
  readonly remaining: string | null
  readonly overage: string
  readonly period: { readonly start: string; readonly end: string } | null
}
type CertainBody = { readonly allowed: boolean; readonly code: string; readonly balance: BalanceBody }
/** After a start, until the counters are known again, the answer is the plan's policy, without a balance. */
type UncertainBody = { readonly allowed: boolean; readonly code: 'uncertain_denied' | 'uncertain_allowed'; readonly balance?: undefined }
type DecisionBody = CertainBody | UncertainBody

/** Asks for decisions all the time, and compares every answer with what can be true at that moment. */
export type BalanceWatch = { decide(): Promise<void>; readonly counts: { decisions: number; uncertain: number } }

export function createBalanceWatch(deps: {
  readonly client: RetryingClient
  readonly ledger: Ledger
  readonly holds: HoldRecords
  readonly world: World
  readonly random: SeededRandom
}): BalanceWatch {
  const { client, ledger, holds, world, random } = deps
  const counts = { decisions: 0, uncertain: 0 }
  /** The highest usage answered so far, of a feature with a hard limit in a period. */
  const told = new Map<string, bigint>()

  function checkNotTooMuch(customer: string, { feature, used, period }: BalanceBody): void {
    const sent = usedBySender({ ledger, holds, world }, customer, feature, period)
    if (exactOf(used) > sent)
      throw new Difference(`${feature} used by ${customer}`, `at most the ${decimalOf(sent)} that were ever sent`, used)
  }

  return {
    counts,
    async decide() {
      counts.decisions++
      const subscriber = random.pick([...world.subscribers.values()])
      const entitlement = random.pick(world.plans.get(subscriber.plan)?.entitlements ?? [])
      const { customer } = subscriber
      const quantity = decimalOf(exactOf(`${random.below(40)}.5`))
      const before = new Map(told)
      const body = { customer, feature: entitlement.feature, quantity }
      const decision = await client.expect<DecisionBody>('POST', '/v1/decisions', body, [200])
      if (decision.balance === undefined) {
        counts.uncertain++
        checkUncertain(customer, entitlement, decision)
        return
      }
      checkNotTooMuch(customer, decision.balance)
      checkRule(customer, entitlement, quantity, decision)
      if (entitlement.limitType !== 'hard') return
      const name = JSON.stringify([customer, entitlement.feature, decision.balance.period?.start])
      const used = exactOf(decision.balance.used)
      const least = before.get(name) ?? 0n
      if (used < least)
        throw new Difference(
          `${entitlement.feature} used by ${customer}`,
          `not below the ${decimalOf(least)} told before`,
          decision.balance.used,
        )
      if (used > (told.get(name) ?? 0n)) told.set(name, used)
    },
  }
}

/** Every use of it that the sender sent, acknowledged or not. */
export function usedBySender(
  { ledger, holds, world }: { readonly ledger: Ledger; readonly holds: HoldRecords; readonly world: World },
  customer: string,
  featureKey: string,
  period: BalanceBody['period'],
): bigint {
  const feature = world.features.get(featureKey)
  const meter = world.meters.get(feature?.meter ?? '')
  if (feature === undefined || meter === undefined) throw new Error(`${featureKey} is a feature of the run`)
  const fromMs = period === null ? (world.subscribers.get(customer)?.startAtMs ?? 0) : Date.parse(period.start)
  const toMs = period === null ? Number.MAX_SAFE_INTEGER : Date.parse(period.end)
  const usage = ledger.usage(meter, {
    customer,
    fromMs,
    toMs,
    groupBy: [],
    ...(feature.filter === undefined ? {} : { filter: feature.filter }),
  })
  const [total] = usage.values()
  // Settlements still without an answer may count already.
  const underWay = featureKey === CREDITS ? holds.of(customer).filter(({ state }) => state === 'settling') : []
  return underWay.reduce((sum, { requested }) => sum + requested, total?.value ?? 0n)
}

/** Without a policy in the plan: a hard limit denies, a soft one allows. */
function checkUncertain(customer: string, { feature, limitType }: EntitlementSpec, decision: UncertainBody): void {
  const code = limitType === 'hard' ? 'uncertain_denied' : 'uncertain_allowed'
  if (decision.code !== code || decision.allowed !== (code === 'uncertain_allowed'))
    throw new Difference(`decision of ${customer} on ${feature} without a balance`, code, decision)
}

/** The answer must follow from the balance that it carries. */
function checkRule(customer: string, { limit, limitType }: EntitlementSpec, quantity: string, decision: CertainBody): void {
  const { used, held } = decision.balance
  const isWithin = limit === null || exactOf(used) + exactOf(held) + exactOf(quantity) <= exactOf(limit)
  const isAllowed = limitType === 'soft' || isWithin
  if (decision.allowed !== isAllowed)
    throw new Difference(`decision of ${customer} on ${quantity} with limit ${limit}`, { allowed: isAllowed }, decision)
}
