import { type Currency, currencyOf } from '../../domain/billing/money.ts'
import type { Customer } from '../../domain/catalog/customer.ts'
import { isRefusal, type Outcome, refuseField, refuseFields } from '../../domain/refusal.ts'

/** The currency that a request names, else the customer's own. Refuses `unknown_currency`, and `invalid_amount` without either. */
export function readCurrency(given: string | undefined, { key, currency }: Pick<Customer, 'key' | 'currency'>): Outcome<Currency> {
  const code = given ?? currency
  if (code === undefined) {
    const detail = `currency must be given, as customer ${key} has none of its own`
    return refuseFields('invalid_amount', [{ field: 'currency', code: 'invalid_amount', detail }])
  }
  const known = currencyOf(code)
  return isRefusal(known) ? refuseField('currency', known) : known
}
