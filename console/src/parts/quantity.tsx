import { moneyText, quantityText } from '../../../look/figures.ts'

/** All digits of an exact decimal. Copying gives the digits as the API writes them. */
export function Quantity({ of: decimal, unit }: { of: string | null | undefined; unit?: string | null }) {
  if (decimal === null || decimal === undefined) return <span className="faint">–</span>
  return (
    <span className="num" data-digits={decimal}>
      {quantityText(decimal)}
      {unit === undefined || unit === null ? null : <span className="faint"> {unit}</span>}
    </span>
  )
}

/** An amount; its currency stands with it unless the head of the column names it. */
export function Money({ of: amount, currency, isBare = false }: { of: string; currency: string; isBare?: boolean }) {
  return (
    <span className="num" data-digits={amount}>
      {moneyText(amount, currency)}
      {isBare ? null : ` ${currency}`}
    </span>
  )
}

/** What is copied from the page are digits that a program can read: without grouping, with an ASCII minus. */
export function copyPlainDigits(event: ClipboardEvent): void {
  const chosen = document.getSelection()?.toString().trim() ?? ''
  if (!/^[−-]?[\d,]+(\.\d+)?$/.test(chosen) || !/\d/.test(chosen)) return
  event.clipboardData?.setData('text/plain', chosen.replaceAll(',', '').replace('−', '-'))
  event.preventDefault()
}
