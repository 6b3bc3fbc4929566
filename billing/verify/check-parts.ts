import type { AuditedDocument } from '../../adapters/database/book-audit/book-audit-reader.ts'
import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import { currencyOf, type Money, moneyText, parseMoney, sum } from '../../domain/billing/money.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { InstantMs, SubscriptionId } from '../../domain/identity.ts'
import { formatRational } from '../../domain/rational.ts'
import { orThrow } from '../../domain/refusal.ts'
import { parseInstantText } from '../../domain/time/instant-text.ts'
import type { InvoiceJson } from '../documents/invoice-json.ts'
import { chargeTarget } from '../steps/price-parts.ts'
import { serviceParts } from '../steps/service-parts.ts'
import { type BookDifference, differing } from './book-difference.ts'

type Line = InvoiceJson['lines'][number]

/**
 * The usage lines of each closed part, all of them together: they come to what the part's whole quantity costs by the plan version
 * that it was on, and what the cursor remembers of it is what stands on them. `documents` are all documents of some subscriptions.
 */
export function checkParts(
  inputs: Pick<BillingInputs, 'subscriptions' | 'planVersions' | 'books'>,
  documents: readonly AuditedDocument[],
): readonly BookDifference[] {
  const bySubscription = Map.groupBy(documents, ({ subscription }) => subscription)
  return [...bySubscription].flatMap(([id, all]) => {
    const hasVoid = all.some(({ status }) => status === 'void')
    // A void may have left its time unbilled or have had it billed anew, and the lines alone do not tell which.
    return id === null || hasVoid ? [] : checkSubscription(inputs, id, all)
  })
}

function checkSubscription(
  { subscriptions, planVersions, books }: Pick<BillingInputs, 'subscriptions' | 'planVersions' | 'books'>,
  id: SubscriptionId,
  documents: readonly AuditedDocument[],
): readonly BookDifference[] {
  const subscription = subscriptions.get(id)
  const book = books.get(id)
  const [first] = documents
  if (subscription === undefined || book === undefined || first === undefined) return []
  const currency = orThrow(currencyOf(first.currency))
  // What was written as a record is read as one.
  const records = documents.map(({ record }) => record as unknown as InvoiceJson)
  // A note that was asked for takes back from lines without counting a part again.
  const lines = records.flatMap((record) => (record.invoice === undefined ? record.lines : [])).filter(({ kind }) => COUNTED.has(kind))
  return [...Map.groupBy(lines, partName)].flatMap(([name, ofPart]) => {
    const [line] = ofPart
    const last = ofPart.at(-1)
    const plan = planVersions.find(({ plan: key, version }) => key === line?.plan && version === line.planVersion)
    if (line === undefined || last === undefined || plan === undefined) return []
    const startMs = msOf(line.from)
    const [part] = serviceParts({ subscription, planVersions }, { startMs, endMs: (startMs + 1) as InstantMs })
    const charge = part?.plan.charges.find(({ key }) => key === line.item)
    if (part === undefined || charge === undefined || part.period.endMs > book.cursor.usageBilledToMs) return []
    const where = `${id} ${name}`
    const quantityNano = ofPart.reduce((total, { quantity }) => total + nanoOf(quantity), 0n)
    const remembered = book.parts
      .find((each) => each.plan === plan.plan && each.planVersion === plan.version && each.period.startMs === startMs)
      ?.items.get(`charge:${charge.key}`)
    const counted =
      remembered === undefined
        ? []
        : differing('a cursor remembers what stands on lines', where, formatQuantity(quantityNano), formatQuantity(remembered.quantityNano))
    if (ofPart.some(({ billedBy }) => billedBy !== undefined)) return counted
    const { exact, target } = chargeTarget(currency, part, charge, quantityNano)
    const billed = sum(ofPart.map(({ amount }): Money => orThrow(parseMoney(currency, amount))))
    return [
      ...counted,
      ...differing('the lines of a part come to what its quantity costs', where, moneyText(currency, target), moneyText(currency, billed)),
      ...differing('the last line of a part says what it comes to', where, formatRational(exact), last.exact ?? ''),
    ]
  })
}

const COUNTED: ReadonlySet<string> = new Set(['usage', 'adjustment'])

function partName({ plan, planVersion, item, from }: Line): string {
  return `${plan} version ${planVersion} ${item} from ${from}`
}

function nanoOf(quantity: string | undefined): bigint {
  return quantity === undefined ? 0n : (parseQuantity(quantity) ?? 0n)
}

function msOf(instant: string): InstantMs {
  return (parseInstantText(instant) ?? 0) as InstantMs
}
