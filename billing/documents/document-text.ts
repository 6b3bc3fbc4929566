import type { InvoiceJson } from './invoice-json.ts'

/** What a document says in words, the same on every kind of page. */
export function titleOf({ document, number, status }: Pick<InvoiceJson, 'document' | 'number' | 'status'>): string {
  const unnumbered = status === 'draft' ? '(draft)' : '(nothing due)'
  return `${document === 'creditNote' ? 'Credit note' : 'Invoice'} ${number ?? unnumbered}`
}

export function lineName({ kind, item, plan }: InvoiceJson['lines'][number]): string {
  return [NAMES[kind], item, plan === undefined ? undefined : `(${plan})`].filter((part) => part !== undefined && part !== '').join(' ')
}

/** The time that a line is for, and what it corrects. */
export function lineTime({ from, to, adjusts }: InvoiceJson['lines'][number]): string {
  return `${day(from)} – ${day(to)}${adjusts === undefined ? '' : `, adjusts ${adjusts.invoice} line ${adjusts.line}`}`
}

/** From the subtotal down to what is due. */
export function sumsOf(invoice: Omit<InvoiceJson, 'paid'>): readonly (readonly [string, string])[] {
  return [
    ['Subtotal', invoice.subtotal],
    ['Discount', invoice.discount],
    ['Credits', invoice.credits],
    ...invoice.taxes.map(
      ({ name, percent, inclusive, amount }) => [`${name} ${percent} %${inclusive ? ' (included)' : ''}`, amount] as const,
    ),
    ['Total', invoice.total],
    ['Paid by balance', invoice.balanceApplied],
    ['Due', invoice.due],
  ]
}

export function sellerLines({ seller }: Pick<InvoiceJson, 'seller'>): readonly string[] {
  return present([seller?.name, seller?.address, seller?.taxId])
}

export function customerLines({ billTo }: Pick<InvoiceJson, 'billTo'>): readonly string[] {
  return present([billTo.name ?? billTo.customer, billTo.address, billTo.taxId, billTo.email])
}

export function day(instant: string | null): string {
  return instant?.slice(0, 10) ?? ''
}

const NAMES: Readonly<Record<InvoiceJson['lines'][number]['kind'], string>> = {
  base: 'Base fee',
  usage: 'Usage',
  trueUp: 'Minimum',
  unused: 'Unused time',
  adjustment: 'Adjustment',
  manual: '',
  topUp: 'Credit',
}

function present(parts: readonly (string | null | undefined)[]): readonly string[] {
  return parts.filter((part) => part !== null && part !== undefined)
}
