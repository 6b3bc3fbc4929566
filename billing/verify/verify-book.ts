import type { BillingInputsReader } from '../../adapters/database/billing-inputs/billing-inputs-reader.ts'
import type { AuditedDocument, BookAuditReader } from '../../adapters/database/book-audit/book-audit-reader.ts'
import type { InvoiceStore } from '../../adapters/database/invoices/invoice-store.ts'
import type { LedgerStore } from '../../adapters/database/ledger/ledger-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import type { BookDifference } from './book-difference.ts'
import { createChainCheck } from './check-chain.ts'
import { checkDocument } from './check-document.ts'
import { checkFees } from './check-fees.ts'
import { checkParts } from './check-parts.ts'
import { countedLines, recountLines } from './recount-lines.ts'

export type VerifyBookDeps = {
  readonly audit: BookAuditReader
  readonly inputs: BillingInputsReader
  readonly invoices: Pick<InvoiceStore, 'meter'>
  readonly ledger: Pick<LedgerStore, 'bySource'>
  readonly usageStore: Pick<UsageStore, 'scanEvents'>
}

export type VerifyBookRequest = {
  readonly tenant: TenantKey
  /** Documents that close at this instant or later are counted again; the chain is always looked at whole. Undefined: all. */
  readonly sinceMs?: InstantMs
  onDifference(difference: BookDifference): void
  onPage?(progress: BookReport): void
}

/** Documents are counted once, in the chain; lines are those that were counted again. */
export type BookReport = { readonly documents: number; readonly lines: number; readonly differences: number }

const DOCUMENTS_PER_PAGE = 1_000
/** A customer has some documents a month: what is in memory at once are theirs, and no events. */
const CUSTOMERS_PER_PAGE = 500
const LEDGER_DIFFERENCES_MAX = 100

/**
 * Proves the book of a tenant: numbers and hashes, documents against their lines and the ledger, lines against the events, parts
 * against their prices, and what the ledger sums to. Only reads; may run beside runs, as what is final does not move.
 */
export async function verifyBook(deps: VerifyBookDeps, request: VerifyBookRequest): Promise<BookReport> {
  const { tenant, onDifference, onPage } = request
  const report = { documents: 0, lines: 0, differences: 0 }
  const tell = (differences: readonly BookDifference[]) => {
    report.differences += differences.length
    differences.forEach(onDifference)
  }
  await verifyChains(deps, tenant, tell, (documents) => {
    report.documents += documents
    onPage?.(report)
  })
  const meterOf = createMeters(deps.invoices, tenant)
  for (let after = '' as CustomerKey; ; ) {
    const customers = await deps.audit.customers(tenant, after, CUSTOMERS_PER_PAGE)
    const last = customers.at(-1)
    if (last === undefined) break
    const documents = await deps.audit.documentsOf(tenant, customers, request.sinceMs ?? (0 as InstantMs))
    tell(await checkDocuments(deps, tenant, documents))
    await meterOf.load(documents)
    const lines = documents.flatMap((document) => countedLines(document, meterOf.get))
    tell(await recountLines(deps.usageStore, tenant, { afterCustomer: after, toCustomer: last }, lines))
    if (request.sinceMs === undefined) tell(await checkPartsOf(deps, tenant, customers))
    report.lines += lines.length
    onPage?.(report)
    after = last
  }
  const ledger = await deps.audit.ledgerDifferences(tenant, LEDGER_DIFFERENCES_MAX)
  tell(ledger)
  return report
}

async function verifyChains(
  { audit }: Pick<VerifyBookDeps, 'audit'>,
  tenant: TenantKey,
  tell: (differences: readonly BookDifference[]) => void,
  onPage: (documents: number) => void,
): Promise<void> {
  for (const [series, end] of await audit.seriesEnds(tenant)) {
    const chain = createChainCheck(series)
    for (let after = 0; ; ) {
      // A run may be numbering more at this moment: what came after the end was read is left to the next time.
      const page = (await audit.numbered(tenant, series, after, DOCUMENTS_PER_PAGE)).filter(({ sequence }) => (sequence ?? 0) <= end.last)
      const last = page.at(-1)?.sequence
      if (last === undefined || last === null) break
      tell(page.flatMap((document) => chain.next(document)))
      onPage(page.length)
      after = last
    }
    tell(chain.end(end))
  }
}

async function checkDocuments(
  { ledger }: Pick<VerifyBookDeps, 'ledger'>,
  tenant: TenantKey,
  documents: readonly AuditedDocument[],
): Promise<readonly BookDifference[]> {
  const sourceOf = ({ id }: AuditedDocument) => `invoice/${id}`
  const posted = new Map((await ledger.bySource(tenant, documents.map(sourceOf))).map((each) => [each.source, each]))
  return documents.flatMap((document) => checkDocument(document, posted.get(sourceOf(document)) ?? null))
}

/** A run may have moved between the reads of documents and cursors, so a difference is looked at once more. */
async function checkPartsOf(
  { audit, inputs }: Pick<VerifyBookDeps, 'audit' | 'inputs'>,
  tenant: TenantKey,
  customers: readonly CustomerKey[],
): Promise<readonly BookDifference[]> {
  const look = async () => {
    const [read, documents] = [await inputs.read(tenant, customers), await audit.documentsOf(tenant, customers, 0 as InstantMs)]
    return [...checkParts(read, documents), ...checkFees(read, documents)]
  }
  const differences = await look()
  return differences.length === 0 ? [] : await look()
}

/** Meters as lines first counted by them; each is read once. */
function createMeters(invoices: Pick<InvoiceStore, 'meter'>, tenant: TenantKey) {
  const meters = new Map<string, Meter | null>()
  const nameOf = (key: string, revision: number) => `${revision} ${key}`
  return {
    async load(documents: readonly AuditedDocument[]): Promise<void> {
      const traces = documents.flatMap(({ record }) =>
        (record as { lines: readonly { trace?: { meter: string; revision: number } }[] }).lines.flatMap(({ trace }) => trace ?? []),
      )
      for (const { meter, revision } of traces) {
        const name = nameOf(meter, revision)
        if (!meters.has(name)) meters.set(name, await invoices.meter(tenant, meter, revision))
      }
    },
    get: (key: string, revision: number) => meters.get(nameOf(key, revision)) ?? null,
  }
}
