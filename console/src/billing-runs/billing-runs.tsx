import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Play } from 'lucide-react'
import { quantityText } from '../../../look/figures.ts'
import { timeText } from '../../../look/times.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { every, MOVING_MS } from '../api/live.ts'
import { monthOf, useMonth } from '../overview/figures.tsx'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { Choice } from '../parts/choice.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { useForm } from '../parts/form.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { Money } from '../parts/quantity.tsx'
import { useAddress } from '../parts/use-address.ts'
import { useMay } from '../shell/session.ts'

type Month = Shape<'BillingMonth'>
const MONTHS = 12

/** Is the month closed, and what does a run make? */
export function BillingRuns() {
  const [address, change] = useAddress()
  const client = useQueryClient()
  const mayBill = useMay('billing')
  const name = address.month ?? monthOf(Date.now(), 1)
  const month = useMonth(name)
  const begin = async (dryRun: boolean) => {
    const { id } = await answered(api.POST('/v1/billing-runs', { body: { dryRun } }))
    change({ run: id })
    await client.invalidateQueries({ queryKey: ['month'] })
  }
  const run = useForm(() => begin(false))
  const dry = useForm(() => begin(true))
  const why = mayBill ? undefined : 'Needs scope billing'
  const months = Array.from({ length: MONTHS }, (_, back) => monthOf(Date.now(), back))
  return (
    <>
      <PageHead title="Billing runs" sub="A run makes every document that can be final. One that is begun twice makes nothing twice.">
        <CopyCurl method="POST" path="/v1/billing-runs" body={{}} />
        <button type="button" className="button" disabled={!mayBill || dry.isBusy} title={why} onClick={() => void dry.submit()}>
          Dry run
        </button>
        <button
          type="button"
          className="button button-primary"
          disabled={!mayBill || run.isBusy}
          title={why}
          onClick={() => void run.submit()}
        >
          <Play className="icon" aria-hidden /> Begin a run
        </button>
      </PageHead>
      {run.wrong}
      {dry.wrong}
      {address.run === undefined ? null : <RunCard id={address.run} />}
      <Card
        title={timeText(`${name}-01T00:00:00Z`, 'month', 'UTC')}
        hint="in UTC"
        actions={
          <>
            {month.data === undefined ? null : month.data.isClosed ? (
              <Badge tone="ok">closed</Badge>
            ) : (
              <Badge tone="warn" hasDot>
                {quantityText(month.data.openCount)} documents to come
              </Badge>
            )}
            <Choice
              label="Month"
              value={name}
              onChange={(value) => change({ month: value })}
              options={months.map((value) => ({ value, label: timeText(`${value}-01T00:00:00Z`, 'month', 'UTC') }))}
            />
          </>
        }
        isFlush
      >
        <Loaded of={month} height={220}>
          {(data) => (
            <DataTable
              caption="Sums of documents"
              columns={SUMS}
              rows={data.documents}
              rowKey={({ currency, document, status }) => `${currency} ${document} ${status}`}
            />
          )}
        </Loaded>
      </Card>
      <div className="cols c-2">
        <Card title="To come" hint="the first hundred" isFlush>
          <Loaded of={month}>
            {(data) =>
              data.open.length === 0 ? (
                <p className="pad muted">Every period that ends in the month is final.</p>
              ) : (
                <DataTable caption="Documents to come" columns={OPEN} rows={data.open} rowKey={({ subscription }) => subscription} />
              )
            }
          </Loaded>
        </Card>
        <Card title="Taxes" isFlush>
          <Loaded of={month}>
            {(data) =>
              data.taxes.length === 0 ? (
                <p className="pad muted">No tax in the month.</p>
              ) : (
                <DataTable
                  caption="Taxes of the month"
                  columns={TAXES}
                  rows={data.taxes}
                  rowKey={({ currency, key, percent }) => `${currency} ${key} ${percent}`}
                />
              )
            }
          </Loaded>
        </Card>
      </div>
    </>
  )
}

const STATUS = {
  finalised: 'final, not paid',
  paid: 'paid',
  nothingDue: 'nothing due',
  uncollectible: 'uncollectible',
  void: 'void',
} as const
const SUMS: readonly Column<Month['documents'][number]>[] = [
  {
    name: 'what',
    head: 'Documents',
    cell: ({ document, status }) => (
      <>
        <b>{document === 'invoice' ? 'Invoices' : 'Credit notes'}</b> <span className="muted">{STATUS[status]}</span>
      </>
    ),
  },
  { name: 'count', head: 'Count', cell: ({ documents }) => quantityText(documents), isFigure: true },
  { name: 'currency', head: 'Currency', cell: ({ currency }) => currency },
  ...(['subtotal', 'discount', 'credits', 'net', 'tax', 'total', 'due'] as const).map((field) => ({
    name: field,
    head: field === 'subtotal' ? 'Lines' : `${field.slice(0, 1).toUpperCase()}${field.slice(1)}`,
    cell: (row: Month['documents'][number]) => <Money of={row[field]} currency={row.currency} isBare />,
    isFigure: true,
  })),
]
const OPEN: readonly Column<Month['open'][number]>[] = [
  {
    name: 'customer',
    head: 'Customer',
    cell: ({ customer }) => (
      <Link to="/customers/$key" params={{ key: customer } as never}>
        {customer}
      </Link>
    ),
  },
  { name: 'closes', head: 'Closes', cell: ({ closesAt }) => (closesAt === null ? '–' : <Instant at={closesAt} />) },
  { name: 'due', head: 'Can be final', cell: ({ dueAt }) => (dueAt === null ? '–' : <Instant at={dueAt} />), isFigure: true },
]
const TAXES: readonly Column<Month['taxes'][number]>[] = [
  {
    name: 'name',
    head: 'Rate',
    cell: ({ name, percent }) => (
      <>
        <b>{name}</b> {percent} %
      </>
    ),
  },
  { name: 'base', head: 'Of', cell: ({ base, currency }) => <Money of={base} currency={currency} />, isFigure: true },
  { name: 'amount', head: 'Tax', cell: ({ amount, currency }) => <Money of={amount} currency={currency} />, isFigure: true },
]

function RunCard({ id }: { id: string }) {
  const run = useQuery({
    queryKey: ['run', id],
    queryFn: () => answered(api.GET('/v1/billing-runs/{id}', { params: { path: { id } } })),
    ...every(MOVING_MS),
  })
  return (
    <Card
      title="Run"
      hint={<code>{id}</code>}
      actions={
        run.data === undefined ? null : (
          <Badge tone={run.data.status === 'finished' ? 'ok' : run.data.status === 'failed' ? 'bad' : 'info'} hasDot>
            {run.data.dryRun ? 'dry, ' : ''}
            {run.data.status}
          </Badge>
        )
      }
      isFlush
    >
      <Loaded of={run}>{(data) => <RunFigures run={data} />}</Loaded>
    </Card>
  )
}

function RunFigures({ run }: { run: Shape<'BillingRun'> }) {
  const figures = [
    { name: 'Due', value: run.due },
    { name: 'Made final', value: run.finalised },
    { name: 'Nothing due', value: run.nothingDue },
    { name: 'Set aside', value: run.setAsideCount },
  ]
  return (
    <>
      <div className="kpis kpis-4">
        {figures.map(({ name, value }) => (
          <div key={name} className="kpi">
            <div className="name">{name}</div>
            <div className="value">{value === undefined ? '–' : quantityText(value)}</div>
          </div>
        ))}
      </div>
      {run.detail === undefined ? null : <p className="pad bad">{run.detail}</p>}
      {(run.setAside?.length ?? 0) === 0 ? null : (
        <DataTable caption="Set aside" columns={ASIDE} rows={run.setAside ?? []} rowKey={({ subscription }) => subscription} />
      )}
    </>
  )
}

const ASIDE: readonly Column<NonNullable<Shape<'BillingRun'>['setAside']>[number]>[] = [
  { name: 'subscription', head: 'Subscription', cell: ({ subscription }) => <code>{subscription}</code> },
  { name: 'code', head: 'Code', cell: ({ code }) => <Badge tone="warn">{code}</Badge> },
  { name: 'detail', head: 'Why', cell: ({ detail }) => detail },
]
