import type { Static } from 'typebox'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { LedgerStore } from '../../adapters/database/ledger/ledger-store.ts'
import type { WalletStore } from '../../adapters/database/wallets/wallet-store.ts'
import type { Clock } from '../../base/clock.ts'
import { leftOf } from '../../domain/billing/credit.ts'
import { type Currency, type Money, moneyText } from '../../domain/billing/money.ts'
import type { WalletTerms } from '../../domain/billing/wallet-terms.ts'
import type { Customer } from '../../domain/catalog/customer.ts'
import type { CustomerKey, TenantKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { CustomerParamsSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { CreditQuerySchema, LedgerPageSchema, LedgerQuerySchema, WalletInputSchema, WalletSchema } from '../../schemas/http/credits.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import { readCurrency } from './credit-input.ts'
import { readWallet, type Wallet, type WalletDeps } from './wallet.ts'
import { readWalletTerms, walletTermsJson } from './wallet-terms-input.ts'

export type WalletRoutesDeps = WalletDeps & {
  readonly wallets: WalletStore
  readonly customers: Pick<CustomerStore, 'get'>
  readonly ledger: Pick<LedgerStore, 'list'>
  readonly clock: Clock
}

/** What a customer has, and how it came to that. */
export function walletRoutes(deps: WalletRoutesDeps): (app: HttpApp) => Promise<void> {
  const { customers, ledger, wallets, clock } = deps
  const found = async (tenant: TenantKey, key: string): Promise<Customer> =>
    orThrow((await customers.get(tenant, key as CustomerKey)) ?? refuse('unknown_customer', { customer: key }))
  const shown = async (tenant: TenantKey, customer: CustomerKey, currency: Currency) => {
    const terms = await wallets.get(tenant, { customer, currency: currency.code })
    return walletJson(currency, terms, await readWallet(deps, { tenant, customer, currency, nowMs: clock.now() }))
  }
  return async (app) => {
    app.get('/v1/customers/:key/wallet', { config: { scope: 'read', isHeavyRead: true }, schema: GET_WALLET }, async (request) => {
      const { tenant } = request.principal
      const customer = await found(tenant, request.params.key)
      return await shown(tenant, customer.key, orThrow(readCurrency(request.query.currency, customer)))
    })
    app.put('/v1/customers/:key/wallet', { config: { scope: 'billing', isHeavyRead: true }, schema: PUT_WALLET }, async (request) => {
      const { tenant } = request.principal
      const customer = await found(tenant, request.params.key)
      const currency = orThrow(readCurrency(request.query.currency, customer))
      const terms = orThrow(readWalletTerms(request.body, currency))
      await wallets.put(tenant, { customer: customer.key, currency: currency.code }, terms)
      return await shown(tenant, customer.key, currency)
    })
    app.get('/v1/customers/:key/ledger', { config: { scope: 'read' }, schema: GET_LEDGER }, async (request) => {
      const { tenant } = request.principal
      const { limit = LIMIT_DEFAULT, cursor, currency: given } = request.query
      const customer = await found(tenant, request.params.key)
      const currency = orThrow(readCurrency(given, customer))
      const page = await ledger.list(tenant, customer.key, currency.code, { limit, ...(cursor !== undefined && { cursor }) })
      const data = page.data.map(({ source, postedAtMs, account, amount, credit, balance }) => {
        const money = { amount: moneyText(currency, amount), balance: moneyText(currency, balance) }
        return { source, postedAt: instantJson(postedAtMs), account, ...money, ...(credit !== undefined && { credit }) }
      })
      return { data, nextCursor: page.nextCursor }
    })
  }
}

function walletJson(currency: Currency, terms: WalletTerms, { booked, pending, available, credits }: Wallet): Static<typeof WalletSchema> {
  const text = (amount: Money) => moneyText(currency, amount)
  return {
    ...{ currency: currency.code, booked: text(booked), pending: text(pending), available: text(available) },
    ...walletTermsJson(currency, terms),
    credits: credits.map((credit) => {
      const { id, amount, priority, expiresAtMs } = credit
      const expiresAt = expiresAtMs === null ? null : instantJson(expiresAtMs)
      return { id, amount: text(amount), left: text(leftOf(credit)), priority, expiresAt }
    }),
  }
}

const LIMIT_DEFAULT = 100
const OF_CUSTOMER = { tags: ['credits'], params: CustomerParamsSchema }

const GET_WALLET = {
  ...OF_CUSTOMER,
  operationId: 'getWallet',
  summary: 'What a customer has in credits, less the usage that waits to be paid',
  querystring: CreditQuerySchema,
  response: { 200: WalletSchema, ...REFUSALS },
}
const PUT_WALLET = {
  ...OF_CUSTOMER,
  operationId: 'putWallet',
  summary: 'What happens when a customer’s credits are used up, and when they are topped up',
  description: 'What is left out has its default: `soft`, and no top-up.',
  querystring: CreditQuerySchema,
  body: WalletInputSchema,
  response: { 200: WalletSchema, ...REFUSALS },
}
const GET_LEDGER = {
  ...OF_CUSTOMER,
  operationId: 'listLedger',
  summary: 'A customer’s ledger in a currency, oldest first, with the running balance of each account',
  querystring: LedgerQuerySchema,
  response: { 200: LedgerPageSchema, ...REFUSALS },
}
