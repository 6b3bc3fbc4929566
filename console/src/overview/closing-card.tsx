import { Link } from '@tanstack/react-router'
import { moneyText, quantityText } from '../../../look/figures.ts'
import { timeText } from '../../../look/times.ts'
import type { Shape } from '../api/client.ts'
import { Bar } from '../parts/allowance.tsx'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { invoicedOf, monthOf, useMonth } from './figures.tsx'

/** Last month, and whether it is closed. */
export function ClosingCard() {
  const month = useMonth(monthOf(Date.now(), 1))
  const name = timeText(`${monthOf(Date.now(), 1)}-01T00:00:00Z`, 'month', 'UTC')
  return (
    <Card
      title={`Closing ${name}`}
      actions={
        month.data === undefined ? null : month.data.isClosed ? (
          <Badge tone="ok">closed</Badge>
        ) : (
          <Badge tone="info" hasDot>
            {month.data.openCount} to come
          </Badge>
        )
      }
    >
      <Loaded of={month} height={150}>
        {(data) => <Closing month={data} />}
      </Loaded>
    </Card>
  )
}

function Closing({ month }: { month: Shape<'BillingMonth'> }) {
  const count = (wanted: (row: Shape<'BillingMonth'>['documents'][number]) => boolean) =>
    month.documents.filter(wanted).reduce((sum, { documents }) => sum + documents, 0)
  const made = count(() => true)
  const due = made + month.openCount
  const rows = [
    { name: 'Due', value: due, fill: 'fill' },
    { name: 'Final', value: made, fill: 'fill' },
    { name: 'To come', value: month.openCount, fill: 'fill-warn' },
    { name: 'Paid', value: count(({ status }) => status === 'paid' || status === 'nothingDue'), fill: 'fill' },
  ] as const
  return (
    <div className="way">
      {rows.map(({ name, value, fill }) => (
        <div key={name}>
          <div className="row row-wide">
            <span className="small muted">{name}</span>
            <span className="num">
              <b>{quantityText(value)}</b> {name === 'Due' ? '' : <span className="muted">of {quantityText(due)}</span>}
            </span>
          </div>
          <Bar to={due === 0 ? 0 : value / due} tone={fill} label={`${name}: ${value} of ${due}`} />
        </div>
      ))}
      <div className="row row-wide small muted">
        <span>
          {invoicedOf(month)
            .map(({ currency, total }) => `${moneyText(total, currency)} ${currency}`)
            .join(' · ') || 'No documents'}
        </span>
        <Link to="/billing-runs">Billing runs</Link>
      </div>
    </div>
  )
}
