import type { Static } from 'typebox'
import { type Currency, currencyOf, parseMoney } from '../../domain/billing/money.ts'
import type { PlanSelling } from '../../domain/catalog/plan-selling.ts'
import { formatAmount, parseAmount } from '../../domain/money.ts'
import { isRefusal } from '../../domain/refusal.ts'
import type { PlanInputSchema } from '../../schemas/http/catalog.ts'
import type { ErrorList } from '../error-list.ts'

type PlanInput = Static<typeof PlanInputSchema>

/** How the plan is sold, with every amount in its shortest form; problems are added to the errors. */
export function readPlanSelling(input: PlanInput, currency: Currency | null, errors: ErrorList): PlanSelling {
  const { validFor, again, deliverables, quantityMax, payWhatYouWant, prices, trial, isListed, hasBuyLink } = input
  const isOnce = input.interval === 'once'
  const onlyOnce = { validFor, again, payWhatYouWant }
  for (const [field, given] of Object.entries(onlyOnce)) {
    if (given !== undefined && !isOnce)
      errors.add(field, 'invalid_selling_terms', `${field} is for plans of interval once, and this one is of interval ${input.interval}`)
  }
  if (trial !== undefined && isOnce)
    errors.add('trial', 'invalid_selling_terms', 'trial is for recurring plans, and this one is of interval once')
  refuseWrongDeliverables(deliverables ?? [], errors)
  return {
    ...(validFor !== undefined && { validFor }),
    ...(again !== undefined && { again }),
    ...(deliverables !== undefined && { deliverables }),
    ...(quantityMax !== undefined && { quantityMax }),
    ...(payWhatYouWant !== undefined && { payWhatYouWant: readPayWhatYouWant(payWhatYouWant, currency, errors) }),
    ...(prices !== undefined && { prices: readPrices(prices, input.currency, errors) }),
    ...(trial !== undefined && { trial }),
    ...(isListed !== undefined && { isListed }),
    ...(hasBuyLink !== undefined && { hasBuyLink }),
  }
}

function readPayWhatYouWant(
  { min, suggested, max }: NonNullable<PlanInput['payWhatYouWant']>,
  currency: Currency | null,
  errors: ErrorList,
): NonNullable<PlanSelling['payWhatYouWant']> {
  const read = (given: string | number, name: string) => readPrice(given, `payWhatYouWant.${name}`, currency, errors)
  const terms = { min: read(min, 'min'), suggested: read(suggested, 'suggested'), ...(max !== undefined && { max: read(max, 'max') }) }
  const [least, usual, most] = [terms.min, terms.suggested, terms.max ?? terms.suggested].map((text) => parseAmount(text) ?? 0n)
  if (least !== undefined && usual !== undefined && most !== undefined && (usual < least || most < usual)) {
    const detail = `payWhatYouWant must rise from min over suggested to max, was ${terms.min}, ${terms.suggested}, ${terms.max ?? 'none'}`
    errors.add('payWhatYouWant', 'invalid_selling_terms', detail)
  }
  return terms
}

function readPrices(given: NonNullable<PlanInput['prices']>, own: string, errors: ErrorList): NonNullable<PlanSelling['prices']> {
  const seen = new Set([own])
  return given.map(({ currency: code, baseFee }, index) => {
    const field = `prices[${index}]`
    const currency = currencyOf(code)
    if (isRefusal(currency)) errors.refuse(`${field}.currency`, currency)
    if (seen.has(code)) errors.add(`${field}.currency`, 'invalid_selling_terms', `${field}.currency is ${code}, which has a price already`)
    seen.add(code)
    return { currency: code, baseFee: readPrice(baseFee, `${field}.baseFee`, isRefusal(currency) ? null : currency, errors) }
  })
}

function readPrice(given: string | number, field: string, currency: Currency | null, errors: ErrorList): string {
  const minorUnits = currency === null ? 0n : parseMoney(currency, given)
  if (isRefusal(minorUnits)) {
    errors.refuse(field, minorUnits)
    return '0'
  }
  if (minorUnits < 0n) errors.add(field, 'invalid_amount', `${field} must not be below 0, was ${given}`)
  return formatAmount(parseAmount(given) ?? 0n)
}

/** What they name is looked up when the plan is sold: a download may get its first release, and a policy its terms, after the plan. */
function refuseWrongDeliverables(deliverables: NonNullable<PlanInput['deliverables']>, errors: ErrorList): void {
  const seen = new Set<string>()
  for (const [index, deliverable] of deliverables.entries()) {
    const field = `deliverables[${index}]`
    if (seen.has(deliverable.key))
      errors.add(`${field}.key`, 'duplicate_key', `${field}.key is '${deliverable.key}' as of another deliverable; each key may stand once`)
    seen.add(deliverable.key)
    if (deliverable.kind !== 'link') continue
    const problem = problemOfLink(deliverable.url)
    if (problem !== null) errors.add(`${field}.url`, 'invalid_link', `${field}.url ${problem}`)
  }
}

function problemOfLink(text: string): string | null {
  if (!URL.canParse(text)) return 'is no address; give one that begins with https://'
  const { protocol, username, password } = new URL(text)
  if (protocol !== 'https:') return `must begin with https://, and begins with ${protocol.slice(0, 20)}`
  return username === '' && password === '' ? null : 'must not hold a user name or password: whoever buys can read it'
}
