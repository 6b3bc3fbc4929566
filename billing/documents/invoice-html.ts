import { customerLines, day, lineName, lineTime, sellerLines, sumsOf, titleOf } from './document-text.ts'
import type { InvoiceJson } from './invoice-json.ts'

/** The document as a page to read and to print. Its dates are the record's, so it is the same bytes each time. */
export function invoiceHtml(invoice: InvoiceJson): string {
  const { seller, currency } = invoice
  const title = titleOf(invoice)
  const rows = invoice.lines.map(
    (line) =>
      `<tr><td>${escaped(lineName(line))}<br><small>${escaped(lineTime(line))}</small></td>` +
      `<td>${escaped(line.quantity ?? '')}</td><td>${line.amount}</td><td>${line.discount}</td><td>${line.credits}</td><td>${line.net}</td></tr>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>${STYLE}</style></head><body>
<header><h1>${escaped(title)}</h1><p>${escaped(invoice.status)}</p></header>
<section class="parties"><div><h2>From</h2><p>${linesOf(sellerLines(invoice))}</p></div>
<div><h2>To</h2><p>${linesOf(customerLines(invoice))}</p></div>
<div><h2>Dates</h2><p>Issued ${day(invoice.finalisedAt)}<br>Due ${day(invoice.dueAt)}</p></div></section>
<table><thead><tr><th>What</th><th>Quantity</th><th>Amount</th><th>Discount</th><th>Credits</th><th>Net ${escaped(currency)}</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table>
<table class="sums">${sumsOf(invoice)
    .map(([name, amount]) => `<tr><th>${escaped(name)}</th><td>${escaped(amount)} ${escaped(currency)}</td></tr>`)
    .join('\n')}</table>
<footer><p>${escaped(seller?.footer ?? '')}</p><p><small>${escaped(invoice.id)} ${escaped(invoice.contentHash ?? '')}</small></p></footer>
</body></html>
`
}

function linesOf(parts: readonly string[]): string {
  return parts.map((part) => escaped(part).replaceAll('\n', '<br>')).join('<br>')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;')
}

const STYLE = `body{font:14px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#111}
header{display:flex;justify-content:space-between;align-items:baseline}.parties{display:flex;gap:2rem}.parties div{flex:1}
h2{font-size:12px;text-transform:uppercase;color:#555}table{width:100%;border-collapse:collapse;margin:1rem 0}
th,td{padding:.35rem .5rem;text-align:right;border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left}.sums{width:50%;margin-left:auto}footer{color:#555}
@media print{body{margin:0;max-width:none}tr{break-inside:avoid}thead{display:table-header-group}}`
