import { decimalOf, exactOf, roundToCents } from '../exact-decimal.ts'
import { readRealTrace, type TraceRequest } from './real-trace.ts'
import { GRADUATED_TIERS, PER_MODEL_CHARGES } from './trace-catalog.ts'

/** What a customer owes for the trace's month. Quantities and amounts are decimals; `amount` and `total` have cents. */
export type TraceInvoice = { readonly lines: readonly TraceInvoiceLine[]; readonly total: string }
export type TraceInvoiceLine = { readonly charge: string; readonly quantity: string; readonly exact: string; readonly amount: string }
export type TraceTierPart = { readonly tier: number; readonly quantity: string; readonly exact: string }

export type TraceInvoices = {
  /** Has a line for each charge with a quantity. */
  readonly perModel: TraceInvoice
  readonly graduated: TraceInvoice & { readonly tiers: readonly TraceTierPart[] }
}

/** Invoices by customer, computed from requests and the two plans in exact decimals, with no code of the server. */
export function traceInvoices(requests: readonly TraceRequest[] = readRealTrace()): ReadonlyMap<string, TraceInvoices> {
  const byCustomer = Map.groupBy(requests, ({ customer }) => customer)
  return new Map(
    [...byCustomer].map(([customer, own]) => {
      const tokens = { input: new Map<string, number>(), output: new Map<string, number>() }
      for (const { model, inputTokens, outputTokens } of own) {
        tokens.input.set(model, (tokens.input.get(model) ?? 0) + inputTokens)
        tokens.output.set(model, (tokens.output.get(model) ?? 0) + outputTokens)
      }
      const charged = PER_MODEL_CHARGES.map(({ key, model, direction, unitAmount }) => {
        const quantity = tokens[direction].get(model) ?? 0
        return { key, quantity, exact: perMillion(quantity, unitAmount) }
      })
      const lines = charged.filter(({ quantity }) => quantity > 0).map(({ key, quantity, exact }) => lineOf(key, quantity, exact))
      return [customer, { perModel: { lines, total: totalOf(lines) }, graduated: graduatedInvoice(sumOf(charged)) }]
    }),
  )
}

function graduatedInvoice(quantity: number): TraceInvoices['graduated'] {
  const parts: { tier: number; quantity: number; exact: bigint }[] = []
  let floor = 0
  for (const [index, { upTo, unitAmount, ...more }] of GRADUATED_TIERS.entries()) {
    const inTier = Math.min(quantity, upTo === null ? quantity : Number(upTo)) - floor
    if (inTier <= 0) break
    const flat = 'flatAmount' in more ? exactOf(more.flatAmount) : 0n
    parts.push({ tier: index + 1, quantity: inTier, exact: perMillion(inTier, unitAmount) + flat })
    floor += inTier
  }
  const line = lineOf(
    'total',
    quantity,
    parts.reduce((sum, { exact }) => sum + exact, 0n),
  )
  const tiers = parts.map((part) => ({ tier: part.tier, quantity: String(part.quantity), exact: decimalOf(part.exact) }))
  return { lines: [line], total: line.amount, tiers }
}

function lineOf(charge: string, quantity: number, exact: bigint): TraceInvoiceLine {
  return { charge, quantity: String(quantity), exact: decimalOf(exact), amount: cents(roundToCents(exact)) }
}

function totalOf(lines: readonly TraceInvoiceLine[]): string {
  return cents(lines.reduce((sum, { amount }) => sum + exactOf(amount), 0n))
}

function sumOf(charged: readonly { readonly quantity: number }[]): number {
  return charged.reduce((sum, { quantity }) => sum + quantity, 0)
}

/** The prices have at most four digits: the quotient is exact. */
function perMillion(quantity: number, unitAmount: string): bigint {
  return (BigInt(quantity) * exactOf(unitAmount)) / 1_000_000n
}

function cents(exact: bigint): string {
  const [whole, fraction = ''] = decimalOf(exact).split('.')
  return `${whole}.${fraction.padEnd(2, '0')}`
}
