import type { Static } from 'typebox'
import { type Currency, type Money, moneyText, parseMoney } from '../../domain/billing/money.ts'
import type { TopUpTerms, WalletTerms } from '../../domain/billing/wallet-terms.ts'
import { isRefusal, type Outcome, refuseField, refuseFields } from '../../domain/refusal.ts'
import type { WalletInputSchema, WalletSchema } from '../../schemas/http/credits.ts'

type WalletInput = Static<typeof WalletInputSchema>

/** Terms as they came in: what is absent has its default. Refuses `amount_too_fine` and `invalid_amount`, with the field. */
export function readWalletTerms({ atZero = 'soft', topUp }: WalletInput, currency: Currency): Outcome<WalletTerms> {
  const terms = topUp === undefined || topUp === null ? null : readTopUp(topUp, currency)
  return isRefusal(terms) ? terms : { atZero, topUp: terms }
}

function readTopUp(input: NonNullable<WalletInput['topUp']>, currency: Currency): Outcome<TopUpTerms> {
  const below = readAmount('below', input.below, currency)
  if (isRefusal(below)) return below
  const amount = readAmount('amount', input.amount, currency)
  if (isRefusal(amount)) return amount
  if (amount === 0n) return wrong('amount', 'must be above 0, was 0')
  const upTo = input.upTo === undefined ? null : readAmount('upTo', input.upTo, currency)
  if (isRefusal(upTo)) return upTo
  if (upTo !== null && upTo < below) return wrong('upTo', `must not be under below, which is ${input.below}; was ${input.upTo}`)
  return { below, amount, upTo, perDayMax: input.perDayMax, grantOn: input.grantOn ?? 'paid' }
}

function readAmount(name: string, given: string | number, currency: Currency): Outcome<Money> {
  const amount = parseMoney(currency, given)
  if (isRefusal(amount)) return refuseField(`topUp.${name}`, amount)
  return amount < 0n ? wrong(name, `must not be below 0, was ${given}`) : amount
}

function wrong(name: string, detail: string) {
  const field = `topUp.${name}`
  return refuseFields('invalid_amount', [{ field, code: 'invalid_amount', detail: `${field} ${detail}` }])
}

/** The terms as answered; they can be sent again. */
export function walletTermsJson(currency: Currency, { atZero, topUp }: WalletTerms): Pick<Static<typeof WalletSchema>, 'atZero' | 'topUp'> {
  if (topUp === null) return { atZero }
  const text = (amount: Money) => moneyText(currency, amount)
  const { below, amount, upTo, perDayMax, grantOn } = topUp
  return {
    atZero,
    topUp: { below: text(below), amount: text(amount), ...(upTo !== null && { upTo: text(upTo) }), perDayMax, grantOn },
  }
}
