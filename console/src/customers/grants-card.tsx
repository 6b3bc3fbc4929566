import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { Money, Quantity } from '../parts/quantity.tsx'
import { say } from '../parts/toasts.tsx'
import { useMay } from '../shell/session.ts'
import { CreditForm } from './credit-form.tsx'
import { useFeatureNames } from './use-feature-names.ts'
import { useUpcoming } from './use-upcoming.ts'

/** Grants of units, and credits of money. */
export function GrantsCard({ customer, subscription }: { customer: string; subscription: Shape<'Subscription'> | null }) {
  const currency = useUpcoming(subscription).data?.currency
  const client = useQueryClient()
  const nameOf = useFeatureNames()
  const mayManage = useMay('manage')
  const mayBill = useMay('billing')
  const [voiding, setVoiding] = useState<Shape<'Grant'> | null>(null)
  const [isGiving, setGiving] = useState(false)
  const path = { path: { key: customer } }
  const grants = useQuery({
    queryKey: ['grants', customer],
    queryFn: () => answered(api.GET('/v1/customers/{key}/grants', { params: { ...path, query: { limit: 100 } } })),
  })
  const credits = useQuery({
    queryKey: ['credits', customer, currency],
    queryFn: () =>
      answered(api.GET('/v1/customers/{key}/credits', { params: { ...path, query: currency === undefined ? {} : { currency } } })),
    retry: false,
  })
  const grantColumns: readonly Column<Shape<'Grant'>>[] = [
    { name: 'feature', head: 'Feature', cell: ({ feature }) => <b>{nameOf(feature)}</b> },
    { name: 'amount', head: 'Amount', cell: ({ amount }) => <Quantity of={amount} />, isFigure: true },
    { name: 'priority', head: 'Priority', cell: ({ priority }) => priority, isFigure: true },
    { name: 'from', head: 'From', cell: ({ effectiveAt }) => <Instant at={effectiveAt} /> },
    { name: 'expires', head: 'Expires', cell: ({ expiresAt }) => (expiresAt === null ? 'never' : <Instant at={expiresAt} />) },
    { name: 'state', head: 'State', cell: ({ voidedAt }) => (voidedAt === null ? <Badge tone="ok">good</Badge> : <Badge>void</Badge>) },
    {
      name: 'void',
      head: <span className="visually-hidden">Void</span>,
      isFigure: true,
      cell: (grant) =>
        grant.voidedAt === null && mayManage ? (
          <button type="button" className="button button-s button-danger" onClick={() => setVoiding(grant)}>
            Void
          </button>
        ) : null,
    },
  ]
  return (
    <>
      <Card title="Grants" hint="amounts that add to a limit" isFlush>
        <Loaded of={grants}>
          {({ data }) =>
            data.length === 0 ? (
              <p className="pad muted">No grants.</p>
            ) : (
              <DataTable caption="Grants" columns={grantColumns} rows={data} rowKey={({ id }) => id} />
            )
          }
        </Loaded>
      </Card>
      <Card
        title="Credits"
        hint="money that pays for usage"
        actions={
          <button
            type="button"
            className="button button-s"
            disabled={!mayBill}
            title={mayBill ? undefined : 'Needs scope billing'}
            onClick={() => setGiving(true)}
          >
            Give credit
          </button>
        }
        isFlush
      >
        <Loaded of={credits}>
          {({ data }) =>
            data.length === 0 ? (
              <p className="pad muted">No credits.</p>
            ) : (
              <DataTable caption="Credits" columns={CREDIT_COLUMNS} rows={data} rowKey={({ id }) => id} />
            )
          }
        </Loaded>
      </Card>
      {isGiving ? <CreditForm customer={customer} onClose={() => setGiving(false)} /> : null}
      {voiding === null ? null : (
        <Confirm
          title="Void the grant"
          action="Void"
          isDangerous
          onClose={() => setVoiding(null)}
          onConfirm={async () => {
            await answered(api.POST('/v1/grants/{id}/void', { params: { path: { id: voiding.id } } }))
            await Promise.all(['grants', 'balances'].map((name) => client.invalidateQueries({ queryKey: [name, customer] })))
            say('The grant is void.')
          }}
        >
          What is left of <Quantity of={voiding.amount} /> {nameOf(voiding.feature)} is gone at once. What was used of it stays used.
        </Confirm>
      )}
    </>
  )
}

const CREDIT_COLUMNS: readonly Column<Shape<'Credit'>>[] = [
  { name: 'id', head: 'Id', cell: ({ id }) => <code>{id.slice(0, 24)}</code> },
  { name: 'amount', head: 'Amount', cell: ({ amount, currency }) => <Money of={amount} currency={currency} />, isFigure: true },
  { name: 'left', head: 'Left', cell: ({ left, currency }) => <Money of={left} currency={currency} />, isFigure: true },
  { name: 'paid', head: 'Paid', cell: ({ paid, currency }) => <Money of={paid} currency={currency} />, isFigure: true },
  { name: 'priority', head: 'Priority', cell: ({ priority }) => priority, isFigure: true },
  { name: 'from', head: 'From', cell: ({ effectiveAt }) => <Instant at={effectiveAt} /> },
  { name: 'expires', head: 'Expires', cell: ({ expiresAt }) => (expiresAt === null ? 'never' : <Instant at={expiresAt} />) },
]
