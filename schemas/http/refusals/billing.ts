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
  unknown_charge: {
    status: 400,
    means: 'A price is for a charge that the plan does not have.',
    next: 'Name a charge of the plan by its key; `GET /v1/plans/{key}` shows them.',
    detail: ({ charge, plan, charges }: { charge: string; plan: string; charges: string }) =>
      `plan ${plan} has no charge ${charge}; its charges are: ${charges === '' ? 'none' : charges}.`,
  },
  unknown_coupon: {
    status: 404,
    means: 'No coupon has this key.',
    next: 'Create it with `PUT /v1/coupons/{key}`.',
    detail: ({ coupon }: { coupon: string }) => `coupon ${coupon} does not exist; PUT /v1/coupons/${coupon} first.`,
  },
  credit_id_taken: {
    status: 409,
    means: 'The customer has a credit of this id with another amount, price or end.',
    next: 'Give the new credit an id of its own.',
    detail: ({ credit, customer }: { credit: string; customer: string }) =>
      `customer ${customer} has a credit ${credit} with other terms; give this one an id of its own.`,
  },
  coupon_ended: {
    status: 409,
    means: 'The coupon is not given to new subscriptions any more: its time is over, or as many have it as may.',
    next: 'Leave it out, or change the coupon.',
    detail: ({ coupon }: { coupon: string }) =>
      `coupon ${coupon} is over, by its redeemBy or its usesMax; leave it out, or change it with PUT /v1/coupons/${coupon}.`,
  },
  unknown_invoice: {
    status: 404,
    means: 'No document has this id.',
    next: 'List them with `GET /v1/invoices`.',
    detail: ({ invoice }: { invoice: string }) => `There is no invoice ${invoice}; GET /v1/invoices lists them.`,
  },
  invoice_not_open: {
    status: 409,
    means: 'The document is in a state in which this cannot be done: void and written-off ones, or those that are paid.',
    next: 'Look at its `status`; of a paid document a credit note takes back.',
    detail: ({ invoice, status, wanted }: { invoice: string; status: string; wanted: string }) =>
      `to ${wanted} invoice ${invoice} is not possible, as it is ${status}; GET /v1/invoices/${invoice} shows it.`,
  },
  invoice_final: {
    status: 409,
    means: 'The document is final: its lines never change, and it is neither paused nor removed.',
    next: 'Write a credit note with `POST /v1/invoices/{id}/credit-notes`, or a document by hand.',
    detail: ({ invoice, status }: { invoice: string; status: string }) =>
      `invoice ${invoice} is ${status} and never changes; POST /v1/invoices/${invoice}/credit-notes takes back, POST /v1/invoices asks for more.`,
  },
  invoice_paused: {
    status: 409,
    means: 'The draft is paused, so it is not made final.',
    next: 'Go on with `PUT /v1/invoices/{id}/pause {"paused": false}`.',
    detail: ({ invoice }: { invoice: string }) =>
      `draft ${invoice} is paused; PUT /v1/invoices/${invoice}/pause with paused: false, then finalise it.`,
  },
  too_many_lines: {
    status: 409,
    means: 'The draft has as many lines by hand as one may.',
    next: 'Make another document.',
    detail: ({ invoice, lines, linesMax }: { invoice: string; lines: number; linesMax: number }) =>
      `draft ${invoice} would have ${lines} lines, and ${linesMax} is the most; make another document for the rest.`,
  },
  draft_of_subscription: {
    status: 409,
    means: 'The draft of a subscription is a view: it is there as long as its time is to be billed.',
    next: 'Pause it with `PUT /v1/invoices/{id}/pause`, or end the subscription.',
    detail: ({ invoice }: { invoice: string }) =>
      `${invoice} is the draft of a subscription and cannot be removed; PUT /v1/invoices/{id}/pause holds it back.`,
  },
  earlier_invoice_open: {
    status: 409,
    means: 'An earlier document of the subscription is not final yet, and they are made final in order.',
    next: 'Make the earlier one final first.',
    detail: ({ invoice, earlier }: { invoice: string; earlier: string }) =>
      `${invoice} is made final after ${earlier}, which is open; POST /v1/invoices/{id}/finalise of that one first.`,
  },
  period_not_over: {
    status: 409,
    means: 'The time of the draft is not over, so more usage may come into it.',
    next: 'Make it final after `closesAt`.',
    detail: ({ invoice, closesAtMs }: { invoice: string; closesAtMs: number }) =>
      `${invoice} closes at ${new Date(closesAtMs).toISOString()} and can be made final from then on.`,
  },
  usage_behind: {
    status: 503,
    means: 'The usage store has not read all that was acknowledged, and a document made now would lack some of it.',
    next: 'Try again after `Retry-After`.',
    retryAfterSeconds: 5,
    detail: () => 'The usage store is behind the event log, and a document made now would lack usage; try again in 5 s.',
  },
  draft_empty: {
    status: 409,
    means: 'The draft has no lines, so there is nothing to ask for.',
    next: 'Add lines with `POST /v1/invoices/{id}/lines`.',
    detail: ({ invoice }: { invoice: string }) => `draft ${invoice} has no lines; POST /v1/invoices/${invoice}/lines adds some.`,
  },
  nothing_to_credit: {
    status: 409,
    means: 'The note would take nothing back.',
    next: 'Name lines that have something left.',
    detail: ({ invoice }: { invoice: string }) =>
      `nothing is left to credit on these lines of invoice ${invoice}; GET /v1/invoices/${invoice} shows them.`,
  },
  unknown_credit: {
    status: 404,
    means: 'No credit has this id.',
    next: "List a customer's with `GET /v1/customers/{key}/credits`.",
    detail: ({ credit }: { credit: string }) => `There is no credit ${credit}; GET /v1/customers/{key}/credits lists a customer's.`,
  },
  credit_of_several: {
    status: 409,
    means: 'Several customers have a credit of this id.',
    next: 'Say whose with `?customer=`.',
    detail: ({ credit, customers }: { credit: string; customers: number }) =>
      `${customers} customers have a credit ${credit}; say whose with ?customer=.`,
  },
  credit_used: {
    status: 409,
    means: 'The document sold a credit that has paid for usage since, so it cannot be taken back.',
    next: 'Write a credit note for what is left, and void the credit.',
    detail: ({ invoice, credit }: { invoice: string; credit: string }) =>
      `invoice ${invoice} sold credit ${credit}, which is not whole any more; write a credit note, and POST /v1/credits/${credit}/void.`,
  },
  not_newest_invoice: {
    status: 409,
    means: 'Later documents of the subscription were made from this one, so it cannot be taken back.',
    next: 'Take the newest back first, or write a credit note.',
    detail: ({ invoice, newest }: { invoice: string; newest: string }) =>
      `invoice ${invoice} is not the newest of its subscription, which is ${newest}; take that back first.`,
  },
  payment_in_other_currency: {
    status: 409,
    means: 'The payment is in another currency than the document. Money is never converted.',
    next: 'Record it on a document of its currency.',
    detail: ({ invoice, currency, paid }: { invoice: string; currency: string; paid: string }) =>
      `invoice ${invoice} is in ${currency} and the payment in ${paid.slice(0, 16)}; record it on a document in its currency.`,
  },
  too_many_periods: {
    status: 400,
    means: 'So many documents would follow that a run makes them in several goes.',
    next: 'Ask for an earlier instant.',
    detail: ({ subscription, documentsMax }: { subscription: string; documentsMax: number }) =>
      `${documentsMax} documents or more would follow for subscription ${subscription}, and fewer are shown at once; ask for an earlier at.`,
  },
  payment_reference_taken: {
    status: 409,
    means: 'Another payment was recorded under this reference: of another document, or of another amount.',
    next: 'Give each payment a reference of its own.',
    detail: ({ reference, invoice }: { reference: string; invoice: string }) =>
      `reference ${reference.slice(0, 40)} stands for another payment, of invoice ${invoice}; give this one its own.`,
  },
  unknown_billing_run: {
    status: 404,
    means: 'No billing run has this id.',
    next: 'Begin one with `POST /v1/billing-runs`, which answers its id.',
    detail: ({ run }: { run: string }) => `There is no billing run ${run}; POST /v1/billing-runs begins one and answers its id.`,
  },
  line_not_counted: {
    status: 409,
    means: 'The line is of a fee or an amount: no events are behind it.',
    next: 'Ask for lines of kind `usage` and `adjustment`.',
    detail: ({ line, kind }: { line: string; kind: string }) =>
      `line ${line} is of kind ${kind} and counts no events; lines of kind usage and adjustment do.`,
  },
  too_many_windows: {
    status: 400,
    means: 'The line has more windows of this length than one answer holds.',
    next: 'Ask for longer windows.',
    detail: ({ window, windows, windowsMax }: { window: string; windows: number; windowsMax: number }) =>
      `the line has ${windows} windows of a ${window}, and ${windowsMax} is the most in one answer; ask for longer ones.`,
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
