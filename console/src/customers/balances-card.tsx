import type { UseQueryResult } from '@tanstack/react-query'
import { Check, CircleGauge, X } from 'lucide-react'
import { quantityText } from '../../../look/figures.ts'
import { timeText } from '../../../look/times.ts'
import type { Shape } from '../api/client.ts'
import { Allowance } from '../parts/allowance.tsx'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { Empty } from '../parts/empty.tsx'
import { Instant, Period } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { useZone } from '../shell/preferences.ts'
import { useFeatureNames } from './use-feature-names.ts'

type Balance = Shape<'Balance'>

/** What is left of each metered feature, from which sources; and the features that are on. */
export function BalancesCard({ customer, of: balances }: { customer: string; of: UseQueryResult<{ readonly data: readonly Balance[] }> }) {
  return (
    <Card
      title="What is left"
      hint={
        balances.data === undefined ? undefined : (
          <>
            as of <Instant at={new Date(balances.dataUpdatedAt).toISOString()} shape="seconds" />
          </>
        )
      }
      actions={
        <span className="legend small muted">
          <span className="tag">
            <span className="swatch b1" /> used
          </span>
          <span className="tag">
            <HeldSwatch /> held
          </span>
        </span>
      }
      isFlush
    >
      <Loaded of={balances} height={260}>
        {({ data }) => <Balances customer={customer} balances={data} />}
      </Loaded>
    </Card>
  )
}

function Balances({ customer, balances }: { customer: string; balances: readonly Balance[] }) {
  const nameOf = useFeatureNames()
  const metered = balances.filter(({ type }) => type === 'metered')
  const others = balances.filter(({ type }) => type !== 'metered')
  if (balances.length === 0) {
    return (
      <Empty icon={CircleGauge} title="No entitlements">
        <p>Subscribe {customer} to a plan, or give it a feature by an override.</p>
      </Empty>
    )
  }
  return (
    <div className="list">
      {metered.map((balance) => (
        <MeteredBalance key={balance.feature} balance={balance} name={nameOf(balance.feature)} />
      ))}
      {others.length === 0 ? null : (
        <div className="row wrap small muted">
          {others.map((balance) => (
            <span key={balance.feature} className="tag">
              {balance.type === 'config' ? null : balance.hasAccess ? (
                <Check className="icon icon-s ok" aria-label="on" />
              ) : (
                <X className="icon icon-s" aria-label="off" />
              )}
              {nameOf(balance.feature)} {balance.type === 'config' ? <b>{JSON.stringify(balance.value)}</b> : null}
            </span>
          ))}
        </div>
      )}
    </div>
  )
}

function MeteredBalance({ balance, name }: { balance: Balance; name: string }) {
  const [zone] = useZone()
  const { feature, limit, limitType, used, held, remaining, overage, period, sources = [] } = balance
  const isOver = overage !== '0'
  return (
    <div className="balance">
      <div className="row wrap">
        <h3>{name}</h3>
        <code className="xs muted">{feature}</code>
        {limit === null ? <Badge tone="line">no limit</Badge> : <Badge tone="line">{limitType} limit</Badge>}
        <span className="end num">
          {isOver ? (
            <>
              <b className="warn">{quantityText(overage)}</b> <span className="muted">over</span>
            </>
          ) : remaining === null ? (
            <>
              <b>{quantityText(used)}</b> <span className="muted">used</span>
            </>
          ) : (
            <>
              <b className={remaining === '0' ? 'bad' : ''}>{quantityText(remaining)}</b> <span className="muted">left</span>
            </>
          )}
        </span>
      </div>
      {limit === null ? null : (
        <Allowance used={used} held={held} limit={limit} label={`${name}: ${used} used and ${held} held of ${limit}`} />
      )}
      <div className="row row-wide small muted wrap">
        <span className="num">
          {quantityText(used)} used{held === '0' ? '' : ` · ${quantityText(held)} held`}
          {limit === null ? '' : ` · of ${quantityText(limit)}`}
        </span>
        <span>{period === null ? 'never resets' : <>resets {timeText(period.end, 'dayAndTime', zone)}</>}</span>
      </div>
      {sources.length > 1 ? <Sources sources={sources} /> : null}
      {period === null ? null : (
        <span className="visually-hidden">
          period <Period start={period.start} end={period.end} />
        </span>
      )}
    </div>
  )
}

const SOURCE_NAMES = { plan: 'Plan', rollover: 'Left over from before', grant: 'Grant', correction: 'Correction' } as const

function Sources({ sources }: { sources: readonly Shape<'BalanceSource'>[] }) {
  const [zone] = useZone()
  return (
    <div className="sources">
      {sources.map(({ source, id, priority, amount, remaining, expiresAt }) => (
        <div key={id ?? source} className="source">
          <span>
            {SOURCE_NAMES[source]}
            {priority === undefined ? '' : <span className="faint"> priority {priority}</span>}
          </span>
          <span className="right num">{amount === null ? 'no limit' : quantityText(amount)}</span>
          {amount === null || remaining === null ? (
            <span />
          ) : (
            <Allowance used={usedOf(amount, remaining)} limit={amount} label={`${remaining} left of ${amount}`} />
          )}
          <span className="muted num">
            {remaining === null ? '' : `${quantityText(remaining)} left`}
            {expiresAt === undefined ? '' : ` · expires ${timeText(expiresAt, 'day', zone)}`}
          </span>
        </div>
      ))}
    </div>
  )
}

function usedOf(amount: string, remaining: string): string {
  return String(Math.max(0, Number(amount) - Number(remaining)))
}

function HeldSwatch() {
  return (
    <svg width="12" height="10" aria-hidden>
      <path className="hatch" d="M0 10L4 0M4 10L8 0M8 10L12 0" />
    </svg>
  )
}
