import { Link } from '@tanstack/react-router'
import { ChevronDown, ChevronRight, Minus } from 'lucide-react'
import { isZero, moneyText } from '../../../look/figures.ts'
import type { Shape } from '../api/client.ts'
import { useFeatureNames } from '../customers/use-feature-names.ts'
import { Card } from '../parts/card.tsx'
import { Period } from '../parts/instant.tsx'
import { Quantity } from '../parts/quantity.tsx'
import { useAddress } from '../parts/use-address.ts'
import { LineDetail } from './line-detail.tsx'
import { lineName } from './line-name.ts'

type Line = Shape<'InvoiceLine'>
const COLUMNS = 8

/** The lines of a document; each amount is in whole minor units, rounded once. */
export function LinesCard({ invoice }: { invoice: Shape<'Invoice'> }) {
  const [address, change] = useAddress()
  const { lines, currency, subtotal, discount, credits, net, tax } = invoice
  return (
    <Card title="Lines" hint="each amount rounded once" isFlush>
      <section className="scroll" tabIndex={0} aria-label="Lines">
        <table className="table">
          <caption className="visually-hidden">Lines of the document</caption>
          <thead>
            <tr>
              <th scope="col">Line</th>
              <th scope="col">Service period</th>
              {['Quantity', 'Amount', 'Discount', 'Credits', 'Net', 'Tax'].map((name) => (
                <th key={name} scope="col" className="n">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {lines.map((line) => (
              <LineRows
                key={line.line}
                invoice={invoice}
                line={line}
                isOpen={address.line === line.line}
                onToggle={() => change({ line: address.line === line.line ? undefined : line.line })}
              />
            ))}
          </tbody>
          <tfoot>
            <tr>
              <td>Sum</td>
              <td />
              <td />
              {[subtotal, minus(discount), minus(credits), net, tax].map((amount, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the columns of the foot never move
                <td key={at} className="n">
                  {moneyText(amount, currency)}
                </td>
              ))}
            </tr>
          </tfoot>
        </table>
      </section>
    </Card>
  )
}

type LineRowsProps = { readonly invoice: Shape<'Invoice'>; readonly line: Line; readonly isOpen: boolean; readonly onToggle: () => void }

function LineRows({ invoice, line, isOpen, onToggle }: LineRowsProps) {
  const nameOf = useFeatureNames()
  const canOpen = line.trace !== undefined || (line.tiers?.length ?? 0) > 0
  const Icon = isOpen ? ChevronDown : canOpen ? ChevronRight : Minus
  const name = lineName(line, nameOf)
  const money = (amount: string) => (isZero(amount) ? '' : moneyText(amount, invoice.currency))
  return (
    <>
      <tr
        className={isOpen ? 'open' : undefined}
        data-opens={canOpen ? '' : undefined}
        onClick={canOpen ? onToggle : undefined}
        onKeyDown={undefined}
      >
        <td>
          <div className="row">
            {canOpen ? (
              <button
                type="button"
                className="opener"
                aria-expanded={isOpen}
                aria-label={`Open line ${line.line}, ${name}`}
                onClick={(event) => {
                  event.stopPropagation()
                  onToggle()
                }}
              >
                <Icon className="icon icon-s" aria-hidden />
              </button>
            ) : (
              <Icon className="icon icon-s faint" aria-hidden />
            )}
            <div>
              <b>{name}</b>
              <div className="xs muted">
                {line.item ?? line.kind}
                {line.adjusts === undefined ? null : (
                  <>
                    {' '}
                    to{' '}
                    <Link to="/invoices/$id" params={{ id: line.adjusts.invoice } as never} onClick={(event) => event.stopPropagation()}>
                      line {line.adjusts.line} of an earlier document
                    </Link>
                  </>
                )}
              </div>
            </div>
          </div>
        </td>
        <td className="muted">
          <Period start={line.from} end={line.to} />
        </td>
        <td className="n">
          {line.quantity === undefined ? (
            ''
          ) : canOpen ? (
            <span className="opens">
              <Quantity of={line.quantity} />
            </span>
          ) : (
            <Quantity of={line.quantity} />
          )}
        </td>
        <td className="n">{moneyText(line.amount, invoice.currency)}</td>
        <td className="n muted">{money(minus(line.discount))}</td>
        <td className="n muted">{money(minus(line.credits))}</td>
        <td className="n strong">{moneyText(line.net, invoice.currency)}</td>
        <td className="n muted">{money(line.tax)}</td>
      </tr>
      {isOpen ? (
        <tr className="opened">
          <td colSpan={COLUMNS}>
            <LineDetail invoice={invoice} line={line} />
          </td>
        </tr>
      ) : null}
    </>
  )
}

function minus(amount: string): string {
  return isZero(amount) ? '0' : amount.startsWith('-') ? amount.slice(1) : `-${amount}`
}
