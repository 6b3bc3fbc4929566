import type { DemoResult } from './run-demo.ts'

/** Tokens by model and direction of one customer, from the view that hides rewrites and chunks. */
export const DEMO_QUERY = `SELECT
  dimensions['model'] AS model,
  meter,
  sum(events) AS requests,
  sum(value_sum) AS tokens
FROM usage
WHERE tenant = 'default' AND customer = {customer:String} AND meter IN ('input_tokens', 'output_tokens')
GROUP BY model, meter
ORDER BY model, meter`

export function invoiceText({ customer, invoice, owed, events }: DemoResult): string {
  const rows = invoice.lines.map((line) => ({
    line: line.charge ?? 'base fee',
    quantity: Number(line.quantity).toLocaleString('en-US'),
    exact: line.exact,
    [invoice.currency]: line.amount,
  }))
  const verdict = owed === invoice.total ? 'the same' : 'NOT the same'
  return [
    `${events.toLocaleString('en-US')} events are queryable. The upcoming invoice of ${customer}, ${day(invoice.period.start)} to ${day(invoice.period.end)}:`,
    '',
    tableText(rows),
    `  total ${invoice.total} ${invoice.currency}; added up by hand from the events that were sent: ${owed}, ${verdict}.`,
    '',
  ].join('\n')
}

export function finalText({ customer, invoice, final: { documents, proofs } }: DemoResult): string {
  return [
    `${customer} leaves, and a billing run makes its documents final:`,
    '',
    tableText(
      documents.map(({ number, kind, total, contentHash }) => ({
        number,
        kind,
        [invoice.currency]: total,
        hash: contentHash?.slice(0, 16),
      })),
    ),
    'Each counted line, counted again from its events:',
    '',
    tableText(proofs.map(({ document, line, quantity, recounted, agrees }) => ({ document, line, quantity, recounted, agrees }))),
  ].join('\n')
}

/** Columns as wide as their widest value; numbers to the right. */
export function tableText(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const names = Object.keys(rows[0] ?? {})
  const columns = names.map((name) => {
    const cells = rows.map((row) => String(row[name]))
    const width = Math.max(name.length, ...cells.map((cell) => cell.length))
    const pad = (cell: string) => (cells.every((each) => /^[\d.,-]+$/.test(each)) ? cell.padStart(width) : cell.padEnd(width))
    return { heading: pad(name), cells: cells.map(pad) }
  })
  const line = (cells: readonly string[]) => `  ${cells.join('  ')}`.trimEnd()
  return [
    line(columns.map(({ heading }) => heading)),
    line(columns.map(({ heading }) => '-'.repeat(heading.length))),
    ...rows.map((_, index) => line(columns.map(({ cells }) => cells[index] ?? ''))),
    '',
  ].join('\n')
}

function day(instant: string): string {
  return instant.slice(0, 10)
}
