import type { Static } from 'typebox'
import { currencyOf, parseMoney } from '../../domain/billing/money.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import type { Commitment, Subscription } from '../../domain/catalog/subscription.ts'
import { isRefusal, type Outcome, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import { findTimeZone } from '../../domain/time/time-zone.ts'
import type { SubscriptionInputSchema } from '../../schemas/http/catalog.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'

type SubscriptionInput = Static<typeof SubscriptionInputSchema>
type SubscriptionTerms = Pick<Subscription, 'timezone' | 'commitment' | 'coupons'>

/** The terms of a new subscription on a plan, or what is wrong with them. Coupons are looked up by the stage that keeps them. */
export function readSubscriptionTerms(
  { timezone, commitment, coupons }: SubscriptionInput,
  plan: Pick<PlanVersion, 'currency'>,
): Outcome<SubscriptionTerms> {
  const zone = timezone === undefined ? null : knownZone(timezone)
  if (isRefusal(zone)) return zone
  const committed = commitment === undefined ? null : readCommitment(commitment, plan)
  if (isRefusal(committed)) return committed
  return {
    ...(timezone !== undefined && { timezone }),
    ...(committed !== null && { commitment: committed }),
    ...(coupons !== undefined && coupons.length > 0 && { coupons: [...new Set(coupons)] }),
  }
}

/** The name itself when the process knows the zone. */
export function knownZone(timezone: string): Outcome<string> {
  if (findTimeZone(timezone) !== null) return timezone
  const detail = `timezone must be a name of the IANA database such as Europe/Berlin, was ${timezone}`
  return refuseFields('unknown_timezone', [{ field: 'timezone', code: 'unknown_timezone', detail }])
}

function readCommitment(
  { amount, from, to, counts }: NonNullable<SubscriptionInput['commitment']>,
  plan: Pick<PlanVersion, 'currency'>,
): Outcome<Commitment> {
  const fromMs = parseInstant(from, 'commitment.from')
  if (isRefusal(fromMs)) return fromMs
  const toMs = parseInstant(to, 'commitment.to')
  if (isRefusal(toMs)) return toMs
  if (toMs <= fromMs) return wrong('commitment.to', `commitment.to must be after commitment.from, was ${to}`)
  const currency = currencyOf(plan.currency)
  if (isRefusal(currency)) return refuseField('plan', currency)
  const minorUnits = parseMoney(currency, amount)
  if (isRefusal(minorUnits)) {
    const tooFine = { amount: String(amount), currency: currency.code, digits: currency.digits }
    return refuseField('commitment.amount', refuse('amount_too_fine', tooFine))
  }
  if (minorUnits < 0n) return wrong('commitment.amount', `commitment.amount must not be below 0, was ${amount}`)
  return { amount: String(amount), fromMs, toMs, ...(counts !== undefined && { counts }) }
}

function wrong(field: string, detail: string) {
  return refuseFields('invalid_amount', [{ field, code: 'invalid_amount', detail }])
}

/** The terms as answered; they can be sent again. */
export function subscriptionTermsJson({ timezone, commitment, coupons }: Subscription) {
  return {
    ...(timezone !== undefined && { timezone }),
    ...(commitment !== undefined && {
      commitment: {
        ...{ amount: commitment.amount, from: instantJson(commitment.fromMs), to: instantJson(commitment.toMs) },
        ...(commitment.counts !== undefined && { counts: [...commitment.counts] }),
      },
    }),
    ...(coupons !== undefined && { coupons: [...coupons] }),
  }
}
