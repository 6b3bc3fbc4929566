import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

/** Refusals about prices and money. */
export const PRICE_REFUSALS = {
  unknown_currency: {
    status: 400,
    means: 'The currency is not one of ISO 4217.',
    next: "Give its code in capitals, such as 'USD'.",
    detail: ({ currency }: { currency: string }) =>
      `'${currency.slice(0, 16)}' is not a currency; give the ISO 4217 code in capitals, such as 'USD'.`,
  },
  invalid_price: {
    ...wrongField('The price cannot be used.', 'Correct each field that `errors` names.'),
    opening: 'The price cannot be used: ',
  },
  unknown_model: wrongField('There is no such price model.', 'Use one that `detail` names.'),
  not_exact_decimal: wrongField('A number is not an exact decimal within its digits.'),
  not_positive: wrongField('A number must be above 0.'),
  negative: wrongField('A number must not be below 0.'),
  no_tiers: wrongField('A tiered price has no tiers.'),
  too_many_tiers: wrongField('A price has too many tiers.'),
  open_tier_not_last: wrongField('`upTo` is null in a tier that is not the last.'),
  last_tier_not_open: wrongField('`upTo` of the last tier is not null.'),
  tier_overlap: wrongField('A tier ends where the one before it ends.'),
  tier_out_of_order: wrongField('A tier ends before the one before it.', 'Sort the tiers by `upTo`.'),
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof PRICE_REFUSALS> {}
}
