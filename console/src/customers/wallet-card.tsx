import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { moneyText, toNumber } from '../../../look/figures.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { every, MOVING_MS } from '../api/live.ts'
import { ProblemError } from '../api/problem.ts'
import { Bar } from '../parts/allowance.tsx'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { useUpcoming } from './use-upcoming.ts'

/** Credits: what the book says, less usage that no document has yet. The currency is that of the plan. */
export function WalletCard({ customer, subscription }: { customer: string; subscription: Shape<'Subscription'> | null }) {
  const currency = useUpcoming(subscription).data?.currency
  const wallet = useQuery({
    queryKey: ['wallet', customer, currency],
    enabled: currency !== undefined,
    queryFn: () =>
      answered(
        api.GET('/v1/customers/{key}/wallet', { params: { path: { key: customer }, query: currency === undefined ? {} : { currency } } }),
      ).catch((error: unknown) => {
        if (error instanceof ProblemError && error.problem.status < 500 && error.problem.status >= 400) return null
        throw error
      }),
    ...every(MOVING_MS),
  })
  if (subscription === null || wallet.data === null) return null
  return (
    <Card title="Wallet" actions={wallet.data === undefined ? null : <Badge tone="line">{wallet.data.atZero} at zero</Badge>}>
      <Loaded of={wallet} height={110}>
        {(data) =>
          data === null ? null : (
            <div className="stack">
              <div className="row row-wide">
                <span className={toNumber(data.available) < 0 ? 'big bad' : 'big'}>{moneyText(data.available, data.currency)}</span>
                <span className="muted">{data.currency} available</span>
              </div>
              <dl className="pairs">
                <dt>Booked</dt>
                <dd>{moneyText(data.booked, data.currency)}</dd>
                <dt>Pending usage</dt>
                <dd>
                  {moneyText(data.pending.startsWith('-') || data.pending === '0' ? data.pending : `-${data.pending}`, data.currency)}
                </dd>
              </dl>
              <Bar
                to={toNumber(data.booked) <= 0 ? 0 : toNumber(data.available) / toNumber(data.booked)}
                label={`${data.available} of ${data.booked} available`}
              />
              <Link className="small" to="." search={{ tab: 'credits' } as never}>
                {data.credits.length === 0 ? 'No credits' : `${data.credits.length} ${data.credits.length === 1 ? 'credit' : 'credits'}`}
              </Link>
            </div>
          )
        }
      </Loaded>
    </Card>
  )
}
