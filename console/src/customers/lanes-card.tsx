import { type UseQueryResult, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { moneyText, quantityText } from '../../../look/figures.ts'
import { timeText } from '../../../look/times.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { Card } from '../parts/card.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { useWidth } from '../parts/use-width.ts'
import { useZone } from '../shell/preferences.ts'

const LANE = 34
const HEAD = 26
const LEFT = 74
const MONTH_MS = 30 * 86_400_000
const NAMES = ['Plan', 'Invoices', 'Grants'] as const

/** Plans, documents and grants over time, one lane each. */
export function LanesCard({ customer, of: subscriptions }: { customer: string; of: UseQueryResult<Shape<'ListSubscriptionsAnswer'>> }) {
  const path = { path: { key: customer } }
  const invoices = useQuery({
    queryKey: ['invoices', 'lanes', customer],
    queryFn: () => answered(api.GET('/v1/invoices', { params: { query: { customer, limit: 20 } } })),
    ...every(LIST_MS),
  })
  const grants = useQuery({
    queryKey: ['grants', customer],
    queryFn: () => answered(api.GET('/v1/customers/{key}/grants', { params: { ...path, query: { limit: 20 } } })),
    ...every(LIST_MS),
  })
  return (
    <Card
      title="Subscription"
      actions={
        <Link to="." search={{ do: 'plan' } as never}>
          Preview a change
        </Link>
      }
    >
      <Loaded of={subscriptions} height={150}>
        {({ data }) => <Lanes subscriptions={data} invoices={invoices.data?.data ?? []} grants={grants.data?.data ?? []} />}
      </Loaded>
    </Card>
  )
}

type LanesProps = {
  readonly subscriptions: readonly Shape<'Subscription'>[]
  readonly invoices: readonly Shape<'Invoice'>[]
  readonly grants: readonly Shape<'Grant'>[]
}

function Lanes({ subscriptions, invoices, grants }: LanesProps) {
  const [zone] = useZone()
  const [box, width] = useWidth(700)
  const nowMs = Date.now()
  const phases = subscriptions.flatMap(({ phases }) => phases)
  if (phases.length === 0) return <p className="muted">No plan yet.</p>
  const ends = [nowMs + MONTH_MS, ...subscriptions.map(({ currentPeriod }) => Date.parse(currentPeriod.end ?? '') || 0)]
  const toMs = Math.max(...ends)
  const fromMs = Math.max(Math.min(nowMs - MONTH_MS, ...phases.map(({ startAt }) => Date.parse(startAt))), nowMs - 12 * MONTH_MS)
  const x = (ms: number) => LEFT + ((Math.min(toMs, Math.max(fromMs, ms)) - fromMs) / (toMs - fromMs)) * (width - LEFT)
  const height = HEAD + NAMES.length * LANE + 18
  const months = monthStarts(fromMs, toMs)
  return (
    <figure
      ref={box}
      aria-label={`Plans: ${phases.map(({ plan, planVersion, startAt }) => `${plan} version ${planVersion} from ${timeText(startAt, 'date', zone)}`).join('; ')}`}
    >
      <svg className="chart" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden>
        {months.map((ms) => (
          <g key={ms}>
            <line className="grid" x1={x(ms)} x2={x(ms)} y1={HEAD - 4} y2={height - 14} />
            <text x={x(ms) + 4} y={14}>
              {timeText(ms, 'month', 'UTC').split(' ')[0]?.slice(0, 3)}
            </text>
          </g>
        ))}
        {NAMES.map((name, lane) => (
          <text key={name} className="lane" x={0} y={HEAD + lane * LANE + 18}>
            {name}
          </text>
        ))}
        {phases.map(({ plan, planVersion, startAt, endAt }, at) => {
          const from = x(Date.parse(startAt))
          const to = endAt === null ? x(toMs) : x(Date.parse(endAt))
          return (
            <g key={`${plan} ${startAt}`}>
              <rect
                x={from}
                y={HEAD + 2}
                width={Math.max(2, to - from - 1)}
                height={24}
                rx={4}
                className={at === phases.length - 1 ? 'f1' : 'lane-past'}
              />
              {to - from > 50 ? (
                <text x={from + 8} y={HEAD + 18} className={at === phases.length - 1 ? 'on-accent' : 'strong'}>
                  {plan} v{planVersion}
                </text>
              ) : null}
            </g>
          )
        })}
        {invoices.map(({ id, closesAt, due, total, currency, status }) => (
          <g key={id}>
            <circle
              cx={x(Date.parse(closesAt))}
              cy={HEAD + LANE + 14}
              r={4}
              className={status === 'draft' ? 'dot-open' : due === '0' || status === 'paid' ? 'dot-ok' : 'dot-warn'}
            />
            <text x={x(Date.parse(closesAt)) + 9} y={HEAD + LANE + 18}>
              {moneyText(total, currency)}
            </text>
          </g>
        ))}
        {grants.map(({ id, amount, effectiveAt, expiresAt, voidedAt }) => {
          const from = x(Date.parse(effectiveAt))
          const to = x(Date.parse(voidedAt ?? expiresAt ?? '') || toMs)
          return (
            <g key={id}>
              <rect x={from} y={HEAD + 2 * LANE + 3} width={Math.max(3, to - from)} height={22} rx={4} className="lane-grant" />
              <text x={Math.min(from + 8, width - 90)} y={HEAD + 2 * LANE + 18} className="lane-grant-text">
                {quantityText(amount)}
              </text>
            </g>
          )
        })}
        <line className="now" x1={x(nowMs)} x2={x(nowMs)} y1={HEAD - 6} y2={height - 14} />
        <text className="strong" x={x(nowMs)} y={height - 2} textAnchor="middle">
          now
        </text>
      </svg>
    </figure>
  )
}

function monthStarts(fromMs: number, toMs: number): readonly number[] {
  const starts: number[] = []
  const first = new Date(fromMs)
  for (let month = first.getUTCMonth() + 1; ; month++) {
    const startMs = Date.UTC(first.getUTCFullYear(), month, 1)
    if (startMs >= toMs) return starts
    starts.push(startMs)
  }
}
