import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

/** Refusals about invoices, credits, notes and their inputs. */
export const BILLING_REFUSALS = {
  amount_too_fine: {
    status: 400,
    means: 'An amount has more digits than its currency, or is no decimal below 10^15.',
    next: 'Round it to whole minor units yourself.',
    detail: ({ amount, currency, digits }: { amount: string; currency: string; digits: number }) =>
      `'${amount.slice(0, 40)}' is no amount in ${currency}; give a decimal below 10^15 with at most ${digits} fractional digits.`,
  },
  invalid_amount: wrongField('An amount or a term of billing is out of its bounds.'),
  currency_mismatch: {
    status: 409,
    means: 'The plan is in another currency than the subscription, whose currency is fixed.',
    next: 'Cancel the subscription and make a new one.',
    detail: ({
      subscription,
      currency,
      plan,
      planCurrency,
    }: {
      subscription: string
      currency: string
      plan: string
      planCurrency: string
    }) => `plan ${plan} is in ${planCurrency} and subscription ${subscription} in ${currency}; cancel it and subscribe anew.`,
  },
  unknown_tax_rate: {
    status: 404,
    means: 'No tax rate has this key.',
    next: 'Create it with `PUT /v1/tax-rates/{key}`.',
    detail: ({ taxRate }: { taxRate: string }) => `tax rate ${taxRate} does not exist; PUT /v1/tax-rates/${taxRate} first.`,
  },
  unknown_line: {
    status: 404,
    means: 'The invoice has no such line, or it is named twice.',
    next: 'Name lines of `GET /v1/invoices/{id}`, each once at most.',
    detail: ({ line }: { line: string }) =>
      `line '${line.slice(0, 40)}' is not on the invoice, or is named twice; name each of its lines once at most.`,
  },
  exceeds_creditable: {
    status: 409,
    means: 'More would be credited than is left of a line.',
    next: 'Ask for at most what is left, or leave the amount out for all of it.',
    detail: ({ line, left, asked }: { line: string; left: string; asked: string }) =>
      `line ${line} has ${left} left to credit and ${asked} were asked for; ask for at most what is left, and not below 0.`,
  },
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof BILLING_REFUSALS> {}
}
