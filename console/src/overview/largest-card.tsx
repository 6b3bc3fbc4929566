import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { addDecimals, compareDecimals, quantityText, toNumber } from '../../../look/figures.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { Bar } from '../parts/allowance.tsx'
import { Card } from '../parts/card.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { boundsOf, RANGES, type RangeName } from '../parts/time-range.ts'

const SHOWN_MAX = 8

/** Who uses most of the chosen meter in the range. */
export function LargestCard({ meter, range }: { meter: Shape<'Meter'> | null; range: RangeName }) {
  const usage = useQuery({
    queryKey: ['largest', meter?.key, range],
    enabled: meter !== null,
    queryFn: async () => {
      const { fromMs, toMs } = boundsOf(range, Date.now())
      const query = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), groupBy: 'customer' }
      const { data } = await answered(api.GET('/v1/meters/{key}/usage', { params: { path: { key: meter?.key ?? '' }, query } }))
      const rows = data
        .map(({ customer = '', value }) => ({ customer, value: value ?? '0' }))
        .sort((a, b) => compareDecimals(b.value, a.value))
      return { rows: rows.slice(0, SHOWN_MAX), count: rows.length, total: addDecimals(rows.map(({ value }) => value)) }
    },
    ...every(LIST_MS),
  })
  if (meter === null) return null
  return (
    <Card title="Largest customers" hint={`${meter.key}, ${RANGES[range].label}`} actions={<Link to="/customers">All</Link>} isFlush>
      <Loaded of={usage} height={320}>
        {({ rows, total, count }) => (
          <div className="list">
            {rows.map(({ customer, value }) => (
              <div key={customer}>
                <div className="row row-wide">
                  <Link to="/customers/$key" params={{ key: customer } as never} className="strong">
                    {customer}
                  </Link>
                  <span className="num">{quantityText(value)}</span>
                </div>
                <Bar to={toNumber(value) / Math.max(1e-9, toNumber(rows[0]?.value ?? '1'))} label={`${customer} used ${value}`} />
              </div>
            ))}
            {rows.length === 0 ? <p className="muted">Nobody used any in this range.</p> : null}
            {count > 0 ? (
              <div className="small muted">
                {quantityText(count)} customers, {quantityText(total)} in all
              </div>
            ) : null}
          </div>
        )}
      </Loaded>
    </Card>
  )
}
