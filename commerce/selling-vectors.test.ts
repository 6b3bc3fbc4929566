import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Coupon } from '../domain/billing/coupon.ts'
import { currencyOf, type Money, moneyText, parseMoney } from '../domain/billing/money.ts'
import type { TaxRate } from '../domain/billing/tax-rate.ts'
import type { PlanVersion } from '../domain/catalog/plan.ts'
import { endOfTerm } from '../domain/catalog/plan-selling.ts'
import { formatQuantity, parseQuantity } from '../domain/decimal.ts'
import type { InstantMs } from '../domain/identity.ts'
import { isRefusal, orThrow } from '../domain/refusal.ts'
import type { Activation, LicenseState, Suspension } from '../domain/selling/license-terms.ts'
import { decideOrderTotals } from './checkout/order-totals.ts'
import { couponFor } from './checkout/price-checkout.ts'
import { decideDownload, linkEndMs } from './downloads/download-access.ts'
import { decideActivation, isLive, tokenEndMs, validateLicense } from './licenses/license.ts'
import { readLicenseKey } from './licenses/license-key.ts'
import { holdsAt, holdsUntil, type OrderTerm, orderTerm } from './orders/order-term.ts'
import { personOf, readEmail } from './people/email.ts'
import { grantToPerson, type PersonUses } from './people/person-uses.ts'

type Case = { readonly id: string; readonly kind: string; readonly why: string; readonly input: never; readonly expected: unknown }

const { cases } = JSON.parse(readFileSync(new URL('../test/data/selling-vectors.json', import.meta.url), 'utf8')) as {
  cases: readonly Case[]
}
const ms = (text: string) => Date.parse(text) as InstantMs
const iso = (at: number) => new Date(at).toISOString().replace('.000Z', 'Z')

/** The worked cases that pure rules decide; those of kind `notices` are in `test/e2e/selling-notices.test.ts`, as they write the book. */
const KINDS: Readonly<Record<string, (input: never) => unknown>> = { license, licenseKey, entitlement, download, person, checkoutTotals }

describe.each(Object.entries(KINDS))('%s', (kind, drive) => {
  test.each(cases.filter((each) => each.kind === kind))('$id: $why', ({ input, expected }) => {
    expect(drive(input)).toMatchObject(expected as object)
  })
})

type Call = {
  readonly at: string
  readonly call: string
  readonly fingerprint?: string
  readonly activation?: string
  readonly key?: string
  readonly until?: string
}

function license({ policy, issuedAt, calls }: { policy: LicenseState['terms']; issuedAt: string; calls: readonly Call[] }) {
  const issuedMs = ms(issuedAt)
  const { validFor = null } = policy
  let state: LicenseState = {
    ...{ terms: policy, quantity: 1, issuedMs, expiresMs: validFor === null ? null : endOfTerm(issuedMs, validFor), revokedMs: null },
    suspendedBy: [],
  }
  let activations: Activation[] = []
  const live = (atMs: InstantMs) => activations.filter((each) => isLive(state, each, atMs)).length
  const suspend = (cause: Suspension) => ({ ...state, suspendedBy: [...state.suspendedBy, cause] })
  const resume = (cause: Suspension) => ({ ...state, suspendedBy: state.suspendedBy.filter((each) => each !== cause) })
  const token = (atMs: InstantMs) => iso(tokenEndMs(state, atMs) ?? 0)
  const see = (id: string, seenMs: InstantMs) => {
    activations = activations.map((each) => (each.id === id ? { ...each, seenMs } : each))
  }
  const answers = calls.flatMap(({ at, call, fingerprint = null, activation, key, until }): readonly object[] => {
    const atMs = ms(at)
    switch (call) {
      case 'activate': {
        const decision = decideActivation(state, activations, fingerprint, atMs)
        if (isRefusal(decision)) {
          const retryAt = decision.code === 'replacement_limit_reached' ? (decision.fields as { retryAtMs: number }).retryAtMs : null
          const isLimit = decision.code === 'activation_limit_reached'
          return [
            {
              at,
              status: 409,
              code: decision.code,
              ...(isLimit && { live: live(atMs) }),
              ...(retryAt !== null && { retryAt: iso(retryAt) }),
            },
          ]
        }
        const id = decision.kind === 'same' ? decision.activation.id : `a${activations.length + 1}`
        if (decision.kind === 'same') see(id, atMs)
        else activations = [...activations, { id, name: id, fingerprint, createdMs: atMs, seenMs: atMs, endedMs: null }]
        return [{ at, status: decision.kind === 'same' ? 200 : 201, activation: id, live: live(atMs), tokenExp: token(atMs) }]
      }
      case 'validate': {
        const named = activation === undefined ? null : (activations.find(({ id }) => id === activation) ?? 'unknown')
        const code = validateLicense(key === 'wrong' ? null : state, named, fingerprint, atMs)
        const isValid = code === 'valid'
        if (isValid && activation !== undefined) see(activation, atMs)
        return [{ at, status: 200, valid: isValid, code, ...(isValid && activation !== undefined && { tokenExp: token(atMs) }) }]
      }
      case 'deactivate':
        activations = activations.map((each) => (each.id === activation ? { ...each, endedMs: each.endedMs ?? atMs } : each))
        return [{ at, status: 200, live: live(atMs) }]
      case 'refund':
        state = { ...state, revokedMs: atMs }
        return []
      case 'extend':
        state = { ...state, expiresMs: ms(until ?? '') }
        return []
      case 'disputeOpened':
        state = suspend('dispute')
        return []
      case 'disputeWon':
        state = resume('dispute')
        return []
      case 'suspend':
        state = suspend('person')
        return []
      case 'resume':
        state = resume('person')
        return []
      case 'pause':
        state = suspend('subscription')
        return []
      case 'resumeSubscription':
        state = resume('subscription')
        return []
      case 'subscriptionEnds':
        state = { ...state, expiresMs: atMs }
        return []
      case 'subscribeAgain':
        state = { ...state, expiresMs: null }
        return []
      case 'partialRefund':
        return []
      default:
        throw new Error(`no call ${call}`)
    }
  })
  return { answers }
}

function licenseKey({ text }: { text: string }) {
  const key = readLicenseKey(text)
  return key === null ? { looksRight: false } : { looksRight: true, ...key }
}

type Purchases = {
  readonly plan: { readonly limit: string } & Pick<PlanVersion, 'validFor' | 'again'>
  readonly purchases: readonly { readonly at: string }[]
  readonly refunds?: readonly { readonly purchase: number; readonly at: string }[]
  readonly asks: readonly string[]
}

function entitlement({ plan, purchases, refunds = [], asks }: Purchases) {
  const answers = asks.map((at) => {
    const atMs = ms(at)
    const terms: OrderTerm[] = []
    for (const [index, purchase] of purchases.entries()) {
      const paidMs = ms(purchase.at)
      const refund = refunds.find((each) => each.purchase === index + 1 && ms(each.at) <= atMs)
      if (paidMs <= atMs && refund === undefined) terms.push(orderTerm(plan, terms, paidMs))
    }
    const held = terms.filter((term) => holdsAt(term, atMs))
    const untilMs = holdsUntil(terms, atMs)
    const limit = formatQuantity((parseQuantity(plan.limit) ?? 0n) * BigInt(held.length))
    return { at, hasAccess: held.length > 0, limit, until: untilMs === null ? null : iso(untilMs) }
  })
  return { answers }
}

type Downloads = {
  readonly holding: {
    readonly kind: 'order' | 'subscription'
    readonly paidAt: string
    readonly maxDownloads?: number
    readonly refundedAt?: string
    readonly updatesFor?: { readonly months: number }
    readonly disputes?: readonly (readonly [string, string])[]
    readonly paused?: readonly (readonly [string, string])[]
    readonly endedAt?: string
    readonly keepAfterEnd?: boolean
  }
  readonly releases: readonly { readonly version: string; readonly at: string }[]
  readonly asks: readonly {
    readonly at: string
    readonly version: string
    readonly linkMadeAt: string
    readonly method: string
    readonly range?: string
    readonly tampered?: boolean
  }[]
}

function download({ holding, releases, asks }: Downloads) {
  const counted: { version: string; atMs: InstantMs }[] = []
  const during = (spans: readonly (readonly [string, string])[] = [], atMs: number) =>
    spans.some(([from, to]) => ms(from) <= atMs && atMs < ms(to))
  const answers = asks.map(({ at, version, linkMadeAt, method, range, tampered = false }) => {
    const atMs = ms(at)
    const release = releases.find((each) => each.version === version)
    if (tampered || release === undefined) return { at, status: 404, code: 'link_not_valid', counted: counted.length }
    const decision = decideDownload(
      {
        isRefunded: holding.refundedAt !== undefined && ms(holding.refundedAt) <= atMs,
        ...{ isDisputed: during(holding.disputes, atMs), isPaused: during(holding.paused, atMs), paidMs: ms(holding.paidAt) },
        endedMs: holding.endedAt !== undefined && ms(holding.endedAt) <= atMs ? ms(holding.endedAt) : null,
        ...{ updatesForMonths: holding.updatesFor?.months ?? null, downloadsMax: holding.maxDownloads ?? null },
        keepsAfterEnd: holding.keepAfterEnd ?? false,
      },
      { createdMs: ms(release.at), withdrawnMs: null, isErased: false },
      { ofRelease: counted.filter((each) => each.version === version).map((each) => each.atMs), ofHolding: counted.length },
      { endMs: linkEndMs(ms(linkMadeAt), 24) },
      atMs,
    )
    if (isRefusal(decision)) {
      const gone = ['link_expired', 'release_withdrawn', 'purchase_refunded', 'access_ended']
      return { at, status: gone.includes(decision.code) ? 410 : 403, code: decision.code, counted: counted.length }
    }
    if (method === 'GET' && decision.isNew) counted.push({ version, atMs })
    return { at, status: range === undefined ? 200 : 206, counted: counted.length }
  })
  return { answers }
}

function person({ buys }: { buys: readonly { readonly email: string; readonly fingerprint?: string }[] }) {
  let uses: PersonUses = new Map()
  const answers = buys.map(({ email: typed, fingerprint }) => {
    const email = readEmail(typed)
    if (isRefusal(email)) return { refusal: email.code }
    const names = [personOf(email), ...(fingerprint === undefined ? [] : [`method ${fingerprint}`])]
    const granted = grantToPerson(uses, names, 1)
    uses = granted.uses
    return { email: email.compared, proved: false, granted: granted.isGranted }
  })
  return { answers }
}

type Totals = {
  readonly currency: string
  readonly plan: Pick<PlanVersion, 'baseFee' | 'payWhatYouWant'>
  readonly quantity?: number
  readonly amount?: string
  readonly coupons?: readonly { readonly id: string; readonly percent?: string; readonly amount?: string; readonly currency?: string }[]
  readonly taxRates?: readonly { readonly key: string; readonly percent: string; readonly inclusive?: boolean }[]
  readonly balance?: string
  readonly proved?: boolean
  readonly providerMinimum?: string
}

function checkoutTotals({
  currency: code,
  plan,
  quantity,
  amount,
  coupons = [],
  taxRates = [],
  balance,
  proved = false,
  providerMinimum,
}: Totals) {
  const currency = orThrow(currencyOf(code))
  const money = (text: string) => orThrow(parseMoney(currency, text))
  const attached: Coupon[] = []
  for (const { id, percent, amount: off = '0', currency: ofCoupon = code } of coupons) {
    const of = percent === undefined ? { amount: off, currency: ofCoupon } : { percent }
    const coupon = couponFor({ key: id, off: of, features: null, invoices: 1, redeemByMs: null, usesMax: null }, code)
    if (isRefusal(coupon)) return { refusal: coupon.code }
    attached.push(...coupon)
  }
  const rates = taxRates.map(({ key, percent, inclusive = false }): TaxRate => {
    return { key, name: key, percentNano: parseQuantity(percent) ?? 0n, isInclusive: inclusive }
  })
  const version = {
    plan: 'p',
    version: 1,
    product: 'p',
    name: 'P',
    currency: code,
    interval: 'once',
    charges: [],
    entitlements: [],
    ...plan,
  }
  const totals = decideOrderTotals(
    {
      ...{ plan: version as unknown as PlanVersion, quantity, amount, coupons: attached },
      taxes: { rates: new Map(rates.map((rate) => [rate.key, rate])), defaults: rates.map(({ key }) => key), isExempt: false },
      balance: proved && balance !== undefined ? money(balance) : (0n as Money),
      providerMinimum: providerMinimum === undefined ? null : money(providerMinimum),
    },
    0 as InstantMs,
  )
  if (isRefusal(totals)) return { refusal: totals.code }
  const text = (minor: Money) => moneyText(currency, minor)
  const { lines, subtotal, discount, taxes, total, balanceApplied, due } = totals.settled.totals
  return {
    lines: lines.map((line) => ({
      ...{ kind: line.kind, quantity: formatQuantity(line.quantityNano ?? 0n), unitAmount: text(totals.unitAmount) },
      ...{ amount: text(line.amount), discount: text(line.discount), net: text(line.net), tax: text(line.tax) },
    })),
    ...{ subtotal: text(subtotal), discount: text(discount), total: text(total), balanceApplied: text(balanceApplied), due: text(due) },
    taxes: taxes.map(({ rate, base, amount: tax }) => ({ key: rate.key, base: text(base), amount: text(tax) })),
    ...{ document: total === 0n ? 'nothingDue' : 'invoice', providerCalled: !totals.isFree },
  }
}
