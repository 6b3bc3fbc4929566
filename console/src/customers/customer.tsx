import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Pencil, Plus } from 'lucide-react'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS, MOVING_MS } from '../api/live.ts'
import { InvoiceTable } from '../invoices/invoice-table.tsx'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { useAddress } from '../parts/use-address.ts'
import { useMay } from '../shell/session.ts'
import { ActivityCard } from './activity-card.tsx'
import { BalancesCard } from './balances-card.tsx'
import { CustomerForm } from './customer-form.tsx'
import { CustomerUsage } from './customer-usage.tsx'
import { GrantForm } from './grant-form.tsx'
import { GrantsCard } from './grants-card.tsx'
import { LanesCard } from './lanes-card.tsx'
import { LedgerCard } from './ledger-card.tsx'
import { NextInvoiceCard } from './next-invoice-card.tsx'
import { OverrideForm } from './override-form.tsx'
import { SubscribeForm } from './subscribe-form.tsx'
import { WalletCard } from './wallet-card.tsx'

const TABS = [
  { name: 'overview', label: 'Overview' },
  { name: 'invoices', label: 'Invoices' },
  { name: 'credits', label: 'Grants and credits' },
  { name: 'ledger', label: 'Ledger' },
  { name: 'activity', label: 'Activity' },
] as const

/** What have they, what did they use, what do they owe? */
export function Customer() {
  const { key } = useParams({ strict: false }) as { key: string }
  const params = { params: { path: { key } } }
  const customer = useQuery({
    queryKey: ['customer', key],
    queryFn: () => answered(api.GET('/v1/customers/{key}', params)),
    ...every(LIST_MS),
  })
  return (
    <Loaded of={customer} height={500}>
      {(data) => <Shown customer={data} />}
    </Loaded>
  )
}

function Shown({ customer }: { customer: Shape<'Customer'> }) {
  const { key } = customer
  const [address, change] = useAddress()
  const mayManage = useMay('manage')
  const balances = useQuery({
    queryKey: ['balances', key],
    queryFn: () => answered(api.GET('/v1/customers/{key}/balances', { params: { path: { key } } })),
    ...every(MOVING_MS),
  })
  const subscriptions = useQuery({
    queryKey: ['subscriptions', key],
    queryFn: () => answered(api.GET('/v1/subscriptions', { params: { query: { customer: key, limit: 100 } } })),
    ...every(LIST_MS),
  })
  const active = subscriptions.data?.data.find(({ status }) => status === 'active' || status === 'canceled') ?? null
  const tab = address.tab ?? 'overview'
  const why = mayManage ? undefined : 'Needs scope manage'
  return (
    <>
      <PageHead
        title={customer.name ?? key}
        before={
          <span className="avatar" aria-hidden>
            {initials(customer.name ?? key)}
          </span>
        }
        badges={<States customer={customer} balances={balances.data?.data ?? []} active={active} />}
        sub={
          <>
            <code>{key}</code> · customer since <Instant at={customer.createdAt} shape="date" />
            {active === null ? null : (
              <>
                {' · '}
                <Link to="/plans/$key" params={{ key: active.plan } as never}>
                  {active.plan} v{active.planVersion}
                </Link>
              </>
            )}
          </>
        }
      >
        <CopyCurl path={`/v1/customers/${encodeURIComponent(key)}/balances`} />
        <button type="button" className="button" disabled={!mayManage} title={why} onClick={() => change({ do: 'grant' })}>
          <Plus className="icon" aria-hidden /> Grant
        </button>
        <button type="button" className="button" disabled={!mayManage} title={why} onClick={() => change({ do: 'override' })}>
          Override
        </button>
        <button type="button" className="button" disabled={!mayManage} title={why} onClick={() => change({ do: 'plan' })}>
          {active === null ? 'Subscribe' : 'Change plan'}
        </button>
        <button
          type="button"
          className="button button-icon"
          disabled={!mayManage}
          title={why}
          aria-label="Change name, e-mail, subjects"
          onClick={() => change({ do: 'edit' })}
        >
          <Pencil className="icon" aria-hidden />
        </button>
      </PageHead>
      <nav className="tabs" aria-label="Of this customer">
        {TABS.map(({ name, label }) => (
          <Link key={name} to="." search={{ tab: name } as never} aria-current={tab === name ? 'page' : undefined}>
            {label}
          </Link>
        ))}
      </nav>
      {tab === 'overview' ? (
        <div className="cols c-main">
          <div className="cols">
            <BalancesCard customer={key} of={balances} />
            <CustomerUsage customer={key} />
            <LanesCard customer={key} of={subscriptions} />
          </div>
          <div className="cols">
            <NextInvoiceCard subscription={active} />
            <WalletCard customer={key} subscription={active} />
            <DetailsCard customer={customer} />
          </div>
        </div>
      ) : null}
      {tab === 'invoices' ? <InvoiceTable filter={{ customer: key }} /> : null}
      {tab === 'credits' ? <GrantsCard customer={key} subscription={active} /> : null}
      {tab === 'ledger' ? <LedgerCard customer={key} /> : null}
      {tab === 'activity' ? <ActivityCard customer={key} /> : null}
      {address.do === 'grant' ? (
        <GrantForm customer={key} balances={balances.data?.data ?? []} onClose={() => change({ do: undefined })} />
      ) : null}
      {address.do === 'override' ? (
        <OverrideForm customer={key} balances={balances.data?.data ?? []} onClose={() => change({ do: undefined })} />
      ) : null}
      {address.do === 'plan' ? <SubscribeForm customer={key} active={active} onClose={() => change({ do: undefined })} /> : null}
      {address.do === 'edit' ? <CustomerForm customer={customer} onClose={() => change({ do: undefined })} /> : null}
    </>
  )
}

function States({
  customer,
  balances,
  active,
}: {
  customer: Shape<'Customer'>
  balances: readonly Shape<'Balance'>[]
  active: Shape<'Subscription'> | null
}) {
  const isOver = balances.some(({ limitType, overage }) => limitType === 'soft' && overage !== '0')
  const isAtLimit = balances.some(({ limitType, remaining }) => limitType === 'hard' && remaining === '0')
  return (
    <>
      {customer.archivedAt !== null ? (
        <Badge>archived</Badge>
      ) : active === null ? (
        <Badge>no plan</Badge>
      ) : active.status === 'canceled' ? (
        <Badge tone="warn" hasDot>
          ends
        </Badge>
      ) : (
        <Badge tone="ok" hasDot>
          active
        </Badge>
      )}
      {isAtLimit ? (
        <Badge tone="bad" hasDot>
          at a hard limit
        </Badge>
      ) : null}
      {isOver ? (
        <Badge tone="warn" hasDot>
          over a soft limit
        </Badge>
      ) : null}
    </>
  )
}

function DetailsCard({ customer }: { customer: Shape<'Customer'> }) {
  const { email, subjects, currency, timezone, taxRates, taxExempt, address } = customer
  return (
    <Card title="Details">
      <dl className="pairs">
        <dt>E-mail</dt>
        <dd>{email ?? '–'}</dd>
        <dt>Subjects</dt>
        <dd>{subjects.length === 0 ? '–' : subjects.join(', ')}</dd>
        <dt>Taxes</dt>
        <dd>{taxExempt === true ? 'exempt' : (taxRates?.join(', ') ?? 'of the settings')}</dd>
        <dt>Currency</dt>
        <dd>{currency ?? 'of the plan'}</dd>
        <dt>Billed in</dt>
        <dd>{timezone ?? 'UTC'}</dd>
        {address === undefined ? null : (
          <>
            <dt>Address</dt>
            <dd>{address}</dd>
          </>
        )}
      </dl>
    </Card>
  )
}

function initials(name: string): string {
  return name
    .split(/[\s_-]+/)
    .slice(0, 2)
    .map((word) => word.slice(0, 1).toUpperCase())
    .join('')
}
