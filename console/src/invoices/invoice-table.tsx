import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { FileText } from 'lucide-react'
import type { ReactNode } from 'react'
import { addDecimals, compareDecimals, moneyText } from '../../../look/figures.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { Card } from '../parts/card.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Empty } from '../parts/empty.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { MoreRows } from '../parts/more-rows.tsx'
import { Money } from '../parts/quantity.tsx'
import { InvoiceStatus } from './invoice-status.tsx'

type Invoice = Shape<'Invoice'>
export type InvoiceFilter = { readonly customer?: string; readonly status?: Invoice['status'] }

const COLUMNS: readonly Column<Invoice>[] = [
  {
    name: 'number',
    head: 'Number',
    cell: ({ number, document }) => (
      <>
        <b>{number ?? 'draft'}</b>
        {document === 'creditNote' ? <span className="muted xs"> credit note</span> : null}
      </>
    ),
  },
  {
    name: 'customer',
    head: 'Customer',
    cell: ({ customer, billTo }) => (
      <Link to="/customers/$key" params={{ key: customer } as never} onClick={(event) => event.stopPropagation()}>
        {billTo.name ?? customer}
      </Link>
    ),
  },
  { name: 'status', head: 'Status', cell: ({ status }) => <InvoiceStatus status={status} /> },
  {
    name: 'closes',
    head: 'Closes',
    cell: ({ closesAt }) => <Instant at={closesAt} shape="date" />,
    compare: (a, b) => (a.closesAt < b.closesAt ? -1 : 1),
  },
  {
    name: 'due-at',
    head: 'Due by',
    cell: ({ dueAt }) => (dueAt === null ? <span className="faint">–</span> : <Instant at={dueAt} shape="date" />),
  },
  {
    name: 'total',
    head: 'Total',
    cell: ({ total, currency }) => <Money of={total} currency={currency} />,
    isFigure: true,
    compare: (a, b) => compareDecimals(a.total, b.total),
  },
  {
    name: 'due',
    head: 'Due',
    cell: ({ due, currency }) => <Money of={due} currency={currency} />,
    isFigure: true,
    compare: (a, b) => compareDecimals(a.due, b.due),
  },
]

/** Documents of a filter, with the sum of what is shown in each currency. */
export function InvoiceTable({ filter, actions }: { filter: InvoiceFilter; actions?: ReactNode }) {
  const navigate = useNavigate()
  const invoices = useInfiniteQuery({
    queryKey: ['invoices', filter],
    queryFn: ({ pageParam }) =>
      answered(
        api.GET('/v1/invoices', { params: { query: { ...filter, limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } } }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    ...every(LIST_MS),
  })
  const rows = invoices.data?.pages.flatMap(({ data }) => data) ?? []
  return (
    <Card
      title="Documents"
      hint={invoices.data === undefined ? undefined : `${rows.length}${invoices.hasNextPage ? '+' : ''} shown`}
      actions={actions}
      foot={rows.length === 0 ? undefined : <Sums rows={rows} />}
      isFlush
    >
      <Loaded of={invoices} height={320}>
        {() =>
          rows.length === 0 ? (
            <Empty icon={FileText} title="No document">
              <p>A period's document is made when the period has ended and its grace is over.</p>
            </Empty>
          ) : (
            <DataTable
              caption="Documents"
              columns={COLUMNS}
              rows={rows}
              rowKey={({ id }) => id}
              onOpen={({ id }) => void navigate({ to: '/invoices/$id', params: { id } as never })}
            />
          )
        }
      </Loaded>
      <MoreRows of={invoices} />
    </Card>
  )
}

function Sums({ rows }: { rows: readonly Invoice[] }) {
  return (
    <span className="num">
      Due of those shown:{' '}
      {[
        ...Map.groupBy(
          rows.filter(({ document }) => document === 'invoice'),
          ({ currency }) => currency,
        ),
      ]
        .map(([currency, list]) => `${moneyText(addDecimals(list.map(({ due }) => due)), currency)} ${currency}`)
        .join(' · ')}
    </span>
  )
}
