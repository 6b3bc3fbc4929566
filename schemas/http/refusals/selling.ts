import type { InstantMs } from '../../../domain/identity.ts'
import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

/** Refusals about what is sold, paid, handed over and used on customers' machines. */
export const SELLING_REFUSALS = {
  invalid_selling_terms: wrongField('A term of how a plan is sold does not fit the plan or another term.'),
  invalid_link: wrongField('An address that is sold must begin with https:// and hold no user name or password.'),
  not_for_sale: {
    status: 409,
    means: 'The plan is archived, or cannot be sold in this way.',
    next: 'Sell another plan, or list this one with `isListed` or `hasBuyLink`.',
    detail: ({ plan, why }: { plan: string; why: string }) => `plan ${plan} is not for sale here: ${why}.`,
  },
  already_owned: {
    status: 409,
    means: 'The plan is sold once, and the customer has it.',
    next: 'Nothing: the customer has what the plan hands over.',
    detail: ({ plan }: { plan: string }) => `plan ${plan} holds already, and is not sold again while it does.`,
  },
  currency_not_offered: {
    status: 409,
    means: 'The plan has no price in this currency; nothing is converted.',
    next: 'Take one of the currencies of the plan.',
    detail: ({ currency, plan, offered }: { currency: string; plan: string; offered: readonly string[] }) =>
      `plan ${plan} has no price in ${currency.slice(0, 16)}; it has one in ${offered.join(', ')}.`,
  },
  amount_not_accepted: {
    status: 400,
    means: 'The plan has a price, so the buyer names none.',
    next: 'Leave `amount` out.',
    detail: ({ plan }: { plan: string }) => `plan ${plan} has a price of its own; leave amount out.`,
  },
  amount_below_minimum: {
    status: 400,
    means: 'The amount is below the least that the plan is sold for.',
    next: 'Name an amount from the minimum on.',
    detail: ({ amount, least, currency }: { amount: string; least: string; currency: string }) =>
      `amount must be at least ${least} ${currency}, was ${amount}.`,
  },
  amount_above_maximum: {
    status: 400,
    means: 'The amount is above the most that the plan is sold for.',
    next: 'Name an amount up to the maximum.',
    detail: ({ amount, most, currency }: { amount: string; most: string; currency: string }) =>
      `amount must be at most ${most} ${currency}, was ${amount}.`,
  },
  amount_not_payable: {
    status: 409,
    means: 'The payment provider takes no amount as small as this one.',
    next: 'Sell more units, or at a higher price.',
    detail: ({ due, currency, least }: { due: string; currency: string; least: string }) =>
      `${due} ${currency} is due, and the payment provider takes ${least} ${currency} at least.`,
  },
  coupon_currency_mismatch: {
    status: 409,
    means: 'The coupon takes off an amount of another currency; nothing is converted.',
    next: 'Buy in the currency of the coupon, or without it.',
    detail: ({ coupon, currency, couponCurrency }: { coupon: string; currency: string; couponCurrency: string }) =>
      `coupon ${coupon} is in ${couponCurrency}, and the purchase in ${currency}.`,
  },
  invalid_email: wrongField(
    'An e-mail address has one @, a name before and a domain behind it, at most 254 bytes and no control characters.',
  ),
  invalid_return_url: wrongField('An address to come back to must begin with http:// or https://.'),
  url_not_allowed: {
    status: 400,
    means: 'With a publishable key a visitor comes back only to addresses that the tenant has listed.',
    next: 'Add it to `returnUrls` with `PUT /v1/settings`.',
    detail: ({ url }: { url: string }) => `${url.slice(0, 200)} is not on the list of returnUrls.`,
  },
  customer_not_taken: {
    status: 400,
    means: 'A publishable key names no customer: whoever holds the page could name any.',
    next: 'Leave `customer` out, or make the checkout with a secret key.',
    detail: () => 'customer is not taken with a publishable key; leave it out.',
  },
  unknown_checkout: {
    status: 404,
    means: 'No checkout has this id.',
    next: 'Make one with `POST /v1/checkouts`.',
    detail: ({ checkout }: { checkout: string }) => `There is no checkout ${checkout}.`,
  },
  checkout_not_open: {
    status: 409,
    means: 'The checkout is complete, over, or being paid.',
    next: 'Look at its `status`; make a new one when it is over.',
    detail: ({ checkout, status }: { checkout: string; status: string }) => `checkout ${checkout} is ${status}.`,
  },
  totals_changed: {
    status: 409,
    means: 'The totals are not those that the visitor saw.',
    next: 'Show them again and let the visitor confirm.',
    detail: () => 'The totals have changed since the page was shown; look at them again and confirm.',
  },
  payments_off: {
    status: 409,
    means: 'The payment provider of this installation does not do this.',
    next: 'Choose another with `TOLLGATE_PAYMENTS`.',
    detail: ({ provider, wanted }: { provider: string; wanted: string }) => `payments are ${provider}, which cannot ${wanted}.`,
  },
  bad_signature: {
    status: 400,
    means: 'A notice of the payment provider is not signed, or by another key, or too long ago.',
    next: 'Send it with the signature of the endpoint’s secret.',
    detail: ({ provider }: { provider: string }) => `the notice is not one of ${provider}: its signature is missing, wrong or too old.`,
  },
  unknown_order: {
    status: 404,
    means: 'No order has this id.',
    next: 'List them with `GET /v1/orders`.',
    detail: ({ order }: { order: string }) => `There is no order ${order}; GET /v1/orders lists them.`,
  },
  unknown_policy: {
    status: 404,
    means: 'No license policy has this key.',
    next: 'Create it with `PUT /v1/license-policies/{key}`.',
    detail: ({ policy }: { policy: string }) => `license policy ${policy} does not exist; PUT /v1/license-policies/${policy} first.`,
  },
  unknown_license: {
    status: 404,
    means: 'No license has this id.',
    next: 'List them with `GET /v1/licenses`.',
    detail: ({ license }: { license: string }) => `There is no license ${license}; GET /v1/licenses lists them.`,
  },
  license_revoked: {
    status: 409,
    means: 'The license was revoked, for good.',
    next: 'Buy a new one.',
    detail: () => 'The license was revoked.',
  },
  license_suspended: {
    status: 409,
    means: 'The license is suspended.',
    next: 'Ask the seller.',
    detail: () => 'The license is suspended.',
  },
  license_expired: {
    status: 409,
    means: 'The license has expired.',
    next: 'Renew it, or ask the seller to extend it.',
    detail: () => 'The license has expired.',
  },
  fingerprint_required: {
    status: 400,
    means: 'The policy of the license wants the fingerprint of each machine.',
    next: 'Send `instance.fingerprint`.',
    detail: () => 'instance.fingerprint is missing: the policy of this license requires it.',
  },
  activation_limit_reached: {
    status: 409,
    means: 'The license is in use by as many instances as may be.',
    next: 'Deactivate one of them, or buy more.',
    detail: ({ limit, instances }: { limit: number; instances: readonly string[] }) =>
      `the license is in use by ${instances.length} of ${limit}: ${instances.slice(0, 20).join(', ')}; deactivate one first.`,
    members: ({ limit, instances }: { limit: number; instances: readonly string[] }) => ({
      limit: String(limit),
      instances: instances.slice(0, 100).join(', '),
    }),
  },
  replacement_limit_reached: {
    status: 409,
    means: 'The license moved to new instances too often within 30 days.',
    next: 'Wait until the named time.',
    detail: ({ retryAtMs }: { retryAtMs: InstantMs }) =>
      `the license moved to too many new instances within 30 days; the next one is possible at ${new Date(retryAtMs).toISOString()}.`,
    members: ({ retryAtMs }: { retryAtMs: InstantMs }) => ({ retryAt: new Date(retryAtMs).toISOString() }),
  },
  unknown_activation: {
    status: 404,
    means: 'The license has no activation of this id.',
    next: 'List them with `GET /v1/licenses/{id}/activations`.',
    detail: ({ activation }: { activation: string }) => `the license has no activation ${activation.slice(0, 100)}.`,
  },
  unknown_download: {
    status: 404,
    means: 'No download has this key.',
    next: 'Create it with `PUT /v1/downloads/{key}`.',
    detail: ({ download }: { download: string }) => `download ${download} does not exist; PUT /v1/downloads/${download} first.`,
  },
  unknown_release: {
    status: 404,
    means: 'The download has no release of this version.',
    next: 'List them with `GET /v1/downloads/{key}/releases`.',
    detail: ({ download, version }: { download: string; version: string }) => `download ${download} has no release ${version}.`,
  },
  version_exists: {
    status: 409,
    means: 'A release is written once and never changed.',
    next: 'Give the new file a version of its own.',
    detail: ({ download, version }: { download: string; version: string }) =>
      `download ${download} has a release ${version} already; a release is never changed.`,
  },
  empty_file: {
    status: 400,
    means: 'A release has at least one byte.',
    next: 'Send the file as the body.',
    detail: () => 'the body is empty; send the file as the body.',
  },
  file_cut_off: {
    status: 400,
    means: 'The upload ended before all of the announced bytes were there; nothing is kept.',
    next: 'Send it again.',
    detail: ({ bytes, declaredBytes }: { bytes: number; declaredBytes: number }) =>
      `${bytes} of ${declaredBytes} bytes came before the upload ended; nothing is kept, send it again.`,
  },
  file_too_large: {
    status: 413,
    means: 'The file has more bytes than a release may have.',
    next: 'Raise `TOLLGATE_DOWNLOAD_BYTES_MAX`, or send a smaller file.',
    detail: ({ bytesMax }: { bytesMax: number }) => `a release has at most ${bytesMax} bytes.`,
  },
  invalid_filename: wrongField('A file name has 1 to 255 bytes, and no control characters, slashes, backslashes or `..`.'),
  link_not_valid: {
    status: 404,
    means: 'The address is not one of ours, or was changed.',
    next: 'Take the link from the portal.',
    detail: () => 'this link is not valid; take a new one from the portal.',
  },
  link_expired: {
    status: 410,
    means: 'The link is over.',
    next: 'Take a new link from the portal.',
    detail: () => 'this link is over; take a new one from the portal.',
  },
  purchase_refunded: {
    status: 410,
    means: 'The purchase was refunded.',
    next: 'Buy it again.',
    detail: () => 'the purchase was refunded, so its files are not handed over any more.',
  },
  purchase_disputed: {
    status: 403,
    means: 'The payer’s bank is asking for the money back.',
    next: 'Wait until that is settled, or ask the seller.',
    detail: () => 'the payment is disputed; its files wait until that is settled.',
  },
  access_ended: {
    status: 410,
    means: 'The subscription that gave the file has ended.',
    next: 'Subscribe again.',
    detail: () => 'the subscription that gave this file has ended.',
  },
  subscription_paused: {
    status: 403,
    means: 'The subscription that gave the file is paused.',
    next: 'Resume it.',
    detail: () => 'the subscription that gives this file is paused.',
  },
  release_withdrawn: {
    status: 410,
    means: 'The seller has withdrawn this version.',
    next: 'Take another version.',
    detail: () => 'this version was withdrawn; take another one.',
  },
  updates_ended: {
    status: 403,
    means: 'The version was released after the time of updates of the purchase.',
    next: 'Take an earlier version, or buy again.',
    detail: () => 'this version came after the updates of the purchase had ended.',
  },
  download_limit_reached: {
    status: 403,
    means: 'The file was downloaded as often as the purchase allows.',
    next: 'Ask the seller.',
    detail: ({ downloadsMax }: { downloadsMax: number }) => `the file was downloaded ${downloadsMax} times, which is as often as may be.`,
  },
} as const satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof SELLING_REFUSALS> {}
}
