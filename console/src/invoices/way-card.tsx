import { compareDecimals, moneyText, toNumber } from '../../../look/figures.ts'
import type { Shape } from '../api/client.ts'
import { Bar } from '../parts/allowance.tsx'
import { Card } from '../parts/card.tsx'

type Step = {
  readonly name: string
  readonly amount: string
  readonly from: number
  readonly to: number
  readonly tone: 'fill' | 'fill-strong' | 'fill-minus' | 'fill-plus'
}

/** The way from the lines to what is due, one bar a step. */
export function WayCard({ invoice }: { invoice: Shape<'Invoice'> }) {
  const steps = stepsOf(invoice)
  const most = Math.max(1e-9, ...steps.map(({ from, to }) => Math.max(from, to)))
  return (
    <Card title="From lines to due" actions={<span className="muted small">{invoice.currency}</span>}>
      <div className="way">
        {steps.map(({ name, amount, from, to, tone }) => {
          const isSum = tone === 'fill' || tone === 'fill-strong'
          return (
            <div key={name}>
              <div className={isSum ? 'row row-wide strong' : 'row row-wide'}>
                <span>{name}</span>
                <span className="num">{moneyText(amount, invoice.currency)}</span>
              </div>
              <Bar from={from / most} to={to / most} tone={tone} label={`${name}: ${amount}`} />
            </div>
          )
        })}
      </div>
    </Card>
  )
}

function stepsOf({ subtotal, discount, credits, taxes, total, balanceApplied, paid, due }: Shape<'Invoice'>): readonly Step[] {
  const steps: Step[] = [{ name: 'Lines', amount: subtotal, from: 0, to: toNumber(subtotal), tone: 'fill-strong' }]
  let at = toNumber(subtotal)
  const less = (name: string, amount: string) => {
    if (compareDecimals(amount, '0') === 0) return
    const size = Math.abs(toNumber(amount))
    steps.push({ name, amount: `-${amount.replace('-', '')}`, from: at - size, to: at, tone: 'fill-minus' })
    at -= size
  }
  less('Discount', discount)
  less('Credits', credits)
  for (const { key, name, percent, base, amount, inclusive } of taxes) {
    const size = inclusive ? 0 : toNumber(amount)
    steps.push({
      name: `${name} ${percent} % of ${base}${inclusive ? ', in the price' : ''}${taxes.length > 1 ? ` (${key})` : ''}`,
      amount,
      from: at,
      to: at + size,
      tone: 'fill-plus',
    })
    at += size
  }
  steps.push({ name: 'Total', amount: total, from: 0, to: toNumber(total), tone: 'fill-strong' })
  at = toNumber(total)
  less('Balance of account', balanceApplied)
  less('Paid', paid)
  return [...steps, { name: 'Due', amount: due, from: 0, to: toNumber(due), tone: 'fill' }]
}
