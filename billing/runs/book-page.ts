import type { BillingCursorStore } from '../../adapters/database/billing-cursors/billing-cursor-store.ts'
import type { ClosedPartStore } from '../../adapters/database/closed-parts/closed-part-store.ts'
import type { CouponStore } from '../../adapters/database/coupons/coupon-store.ts'
import type { CreditStore } from '../../adapters/database/credits/credit-store.ts'
import type { InTransaction } from '../../adapters/database/in-transaction.ts'
import type { InvoiceStatus, InvoiceStore } from '../../adapters/database/invoices/invoice-store.ts'
import type { LedgerStore } from '../../adapters/database/ledger/ledger-store.ts'
import type { OutboxMessage, OutboxStore } from '../../adapters/database/outbox/outbox-store.ts'
import { accountName, type BillingAccount } from '../../domain/billing/billing-inputs.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { creditMessages } from '../credits/credit-messages.ts'
import type { DecidedLife, DecidedPage } from './decide-page.ts'
import { frozenRecord } from './frozen-record.ts'
import { issueDocuments, type NewDocument } from './issue-documents.ts'

/** What a decision writes, together or not at all. */
export type BookStores = {
  readonly cursors: BillingCursorStore
  readonly closedParts: ClosedPartStore
  readonly credits: CreditStore
  readonly coupons: CouponStore
  readonly ledger: LedgerStore
  readonly invoices: InvoiceStore
  readonly outbox: OutboxStore
}

export const DOCUMENTS_PER_TRANSACTION_MAX = 500

/** What was written. A customer who is not among the booked was billed or changed by somebody else meanwhile, and is left to the next run. */
export type Booked = { readonly finalised: number; readonly nothingDue: number; readonly dropped: number }

/** Writes what was decided, up to 500 documents in a transaction; a customer's are never split. */
export async function bookPage(write: InTransaction<BookStores>, tenant: TenantKey, page: DecidedPage, nowMs: InstantMs): Promise<Booked> {
  const sum = { finalised: 0, nothingDue: 0, dropped: 0 }
  for (const lives of batchesOf(page.lives)) {
    const booked = await write((stores) => bookLives(stores, tenant, page, lives, nowMs))
    sum.finalised += booked.finalised
    sum.nothingDue += booked.nothingDue
    sum.dropped += booked.dropped
  }
  return sum
}

async function bookLives(
  stores: BookStores,
  tenant: TenantKey,
  { inputs }: DecidedPage,
  lives: readonly DecidedLife[],
  nowMs: InstantMs,
): Promise<Booked> {
  const { unmoved, accountsBefore } = await unmovedSince(stores, tenant, lives)
  await stores.cursors.move(
    tenant,
    unmoved.map(({ subscription, fromVersion, book, nextDueMs }) => ({ subscription, fromVersion, to: book, nextDueMs })),
  )
  await stores.closedParts.put(
    tenant,
    unmoved.flatMap(({ subscription, made }) =>
      made.flatMap(({ decision }) => decision.closedParts.map((part) => ({ subscription, decision: decision.cursor.version, part }))),
    ),
  )
  const deciding = unmoved.filter(({ made }) => made.length > 0)
  const accounts = new Map(deciding.map((life) => [accountName(life.customer, life.currency), life]))
  await stores.credits.save(tenant, [...accounts.values()])
  const posted = deciding.flatMap(({ customer, currency, made }) =>
    made
      .flatMap(({ decision }) => [...decision.documentTransactions, ...decision.creditTransactions])
      .map((transaction) => ({ customer, currency, postedAtMs: nowMs, transaction })),
  )
  await stores.ledger.post(tenant, posted)
  await stores.coupons.use(tenant, deciding.flatMap(couponUsesOf))
  const documents = deciding.flatMap((life) => documentsOf(inputs, life))
  await stores.invoices.keepMeters(tenant, documents.length === 0 ? [] : inputs.meters)
  const told = [...accounts].flatMap(([name, { customer, currency, account }]) =>
    creditMessages({ customer, currency }, accountsBefore.get(name)?.credits ?? [], account.credits, nowMs),
  )
  await stores.outbox.append(tenant, [...told, ...deciding.flatMap((life) => couponMessages(life, nowMs))])
  await issueDocuments(stores, tenant, inputs.settings, documents, nowMs)
  const nothingDue = documents.filter(({ status }) => status === 'nothingDue').length
  return { finalised: documents.length - nothingDue, nothingDue, dropped: lives.length - unmoved.length }
}

/** Those whose cursors and accounts, now locked, stand where they were read: a customer's all or none. */
async function unmovedSince(
  { cursors, credits }: BookStores,
  tenant: TenantKey,
  lives: readonly DecidedLife[],
): Promise<{ readonly unmoved: readonly DecidedLife[]; readonly accountsBefore: ReadonlyMap<string, BillingAccount> }> {
  const versions = await cursors.lock(
    tenant,
    lives.map(({ subscription }) => subscription),
  )
  const accounts = await credits.lock(tenant, [
    ...new Map(lives.filter(({ made }) => made.length > 0).map((life) => [accountName(life.customer, life.currency), life])).values(),
  ])
  const moved = lives.filter(({ subscription, fromVersion, made, customer, currency, fromAccountVersion }) => {
    const account = accounts.get(accountName(customer, currency))
    return versions.get(subscription) !== fromVersion || (made.length > 0 && account?.version !== fromAccountVersion)
  })
  const customers = new Set(moved.map(({ customer }) => customer))
  return { unmoved: lives.filter(({ customer }) => !customers.has(customer)), accountsBefore: accounts }
}

/** Coupons that gave something for the last time. */
function couponMessages({ subscription, customer, made }: DecidedLife, createdAtMs: InstantMs): readonly OutboxMessage[] {
  return made.flatMap(({ state, decision: { document, couponsUsed } }) =>
    state.purse.coupons
      .filter(({ id, usesLeft }) => document !== null && usesLeft === 1 && couponsUsed.includes(id))
      .map(({ id }) => ({
        type: 'coupon.ended' as const,
        object: subscription,
        data: { coupon: id, subscription, customer },
        createdAtMs,
      })),
  )
}

function couponUsesOf({ subscription, made }: DecidedLife) {
  const used = made.flatMap(({ decision: { document, couponsUsed } }) => (document === null ? [] : couponsUsed))
  return [...Map.groupBy(used, (coupon) => coupon)].map(([coupon, all]) => ({ coupon, subscription, uses: all.length }))
}

function documentsOf(inputs: DecidedPage['inputs'], { subscription, customer, currency, made }: DecidedLife): readonly NewDocument[] {
  return made.flatMap(({ state, decision }) => {
    const { document, burns, couponsUsed, documentTransactions, cursor } = decision
    if (document === null) return []
    const before = { cursor: state.cursor, baseFees: state.baseFees, parts: state.parts, committed: state.committed }
    const status: InvoiceStatus = document.status === 'nothingDue' ? 'nothingDue' : document.due === 0n ? 'paid' : 'finalised'
    return [
      {
        ...{ id: document.id, customer, subscription, decision: cursor.version, status, currency, closesAtMs: document.closesAtMs },
        ...{ due: document.due, document: document.document, record: frozenRecord(inputs, state, document) },
        undo: {
          document: document.document,
          total: document.total,
          balanceApplied: document.balanceApplied,
          burns,
          couponsUsed,
          transactions: documentTransactions,
          before,
        },
      },
    ]
  })
}

function* batchesOf(lives: readonly DecidedLife[]): Iterable<readonly DecidedLife[]> {
  let batch: DecidedLife[] = []
  let documents = 0
  for (const together of Map.groupBy(lives, ({ customer }) => customer).values()) {
    const more = together.reduce((sum, { made }) => sum + made.length, 0)
    if (batch.length > 0 && documents + more > DOCUMENTS_PER_TRANSACTION_MAX) {
      yield batch
      batch = []
      documents = 0
    }
    batch.push(...together)
    documents += more
  }
  if (batch.length > 0) yield batch
}
