import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { CircleCheck, CircleX } from 'lucide-react'
import { useState } from 'react'
import { quantityText } from '../../../look/figures.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { CopyCurl } from '../parts/copy-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { MoreRows } from '../parts/more-rows.tsx'
import { ProblemView } from '../parts/problem-view.tsx'
import { Quantity } from '../parts/quantity.tsx'
import { Segmented } from '../parts/segmented.tsx'
import { UsageChart } from '../parts/usage-chart.tsx'
import { type ChartWindow, usageSeries } from '../parts/usage-series.ts'
import { Tiers } from './tiers.tsx'

type LineProps = { readonly invoice: Shape<'Invoice'>; readonly line: Shape<'InvoiceLine'> }

/** What a line is made of: the recount, the way from quantity to amount, its windows, and the very events. */
export function LineDetail({ invoice, line }: LineProps) {
  const isFinal = invoice.status !== 'draft' && line.trace !== undefined
  return (
    <div className="opened-in">
      {isFinal ? <Recount invoice={invoice} line={line} /> : null}
      <div className="cols c-form">
        <Tiers line={line} currency={invoice.currency} />
        {isFinal ? <Windows invoice={invoice} line={line} /> : null}
      </div>
      {isFinal ? (
        <Events invoice={invoice} line={line} />
      ) : (
        <p className="small muted">Windows and events can be opened when the document is final.</p>
      )}
    </div>
  )
}

function Recount({ invoice, line }: LineProps) {
  const proof = useQuery({
    queryKey: ['proof', invoice.id, line.line],
    queryFn: () => answered(api.GET('/v1/invoices/{id}/lines/{line}/proof', { params: { path: { id: invoice.id, line: line.line } } })),
    staleTime: Number.POSITIVE_INFINITY,
  })
  if (proof.error !== null) return <ProblemView error={proof.error} onRetry={() => void proof.refetch()} />
  if (proof.data === undefined) return <div className="callout">Counting the events again…</div>
  const { agrees, recounted, recomputed } = proof.data
  const Icon = agrees ? CircleCheck : CircleX
  return (
    <div className={agrees ? 'callout callout-ok' : 'callout callout-bad'} role="status">
      <Icon className="icon" aria-hidden />
      <div className="grow-1">
        <b>Recounted from the events: {quantityText(recounted)}.</b>{' '}
        {agrees
          ? 'The line says the same, and so does the amount.'
          : `The line says ${quantityText(proof.data.quantity)} for ${proof.data.amount}; the events now come to ${recomputed ?? 'an amount that cannot be priced'}.`}
      </div>
      <button type="button" className="button button-s" onClick={() => void proof.refetch()} disabled={proof.isFetching}>
        Recount
      </button>
    </div>
  )
}

function Windows({ invoice, line }: LineProps) {
  const [window, setWindow] = useState<ChartWindow>('day')
  const windows = useQuery({
    queryKey: ['line-windows', invoice.id, line.line, window],
    queryFn: () =>
      answered(
        api.GET('/v1/invoices/{id}/lines/{line}/windows', { params: { path: { id: invoice.id, line: line.line }, query: { window } } }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  })
  return (
    <section className="stack">
      <div className="row row-wide">
        <h3>Windows</h3>
        <Segmented
          label="Window"
          value={window}
          onChange={setWindow}
          options={[
            { value: 'hour', label: 'hour' },
            { value: 'day', label: 'day' },
          ]}
        />
      </div>
      <Loaded of={windows} height={150}>
        {({ data }) => {
          const range = { fromMs: Date.parse(line.trace?.from ?? line.from), toMs: Date.parse(line.trace?.to ?? line.to) }
          const rows = data.map(({ quantity, ...rest }) => ({ ...rest, value: quantity }))
          return (
            <UsageChart
              of={usageSeries(rows, range, window, null)}
              kind="bars"
              height={150}
              label="Windows of the line"
              shape={{ axis: 'day', tip: 'dayAndTime' }}
            />
          )
        }}
      </Loaded>
    </section>
  )
}

type LineEvent = Shape<'InvoiceLineEvent'>
const COLUMNS: readonly Column<LineEvent>[] = [
  { name: 'time', head: 'Event time', cell: ({ time }) => <Instant at={time} shape="full" />, isTight: true },
  { name: 'id', head: 'Id', cell: ({ id }) => <code>{id}</code> },
  { name: 'type', head: 'Type', cell: ({ type }) => type },
  {
    name: 'place',
    head: 'Place in the log',
    cell: ({ partition, offset }) => (
      <span className="muted">
        {quantityText(offset)} of {partition}
      </span>
    ),
  },
  { name: 'quantity', head: 'Counts as', cell: ({ quantity }) => <Quantity of={quantity} />, isFigure: true },
]
const EVENTS_SHOWN = 10

function Events({ invoice, line }: LineProps) {
  const path = { id: invoice.id, line: line.line }
  const events = useInfiniteQuery({
    queryKey: ['line-events', invoice.id, line.line],
    queryFn: ({ pageParam }) =>
      answered(
        api.GET('/v1/invoices/{id}/lines/{line}/events', {
          params: { path, query: { limit: EVENTS_SHOWN, ...(pageParam === null ? {} : { cursor: pageParam }) } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    staleTime: Number.POSITIVE_INFINITY,
  })
  const rows = events.data?.pages.flatMap(({ data }) => data) ?? []
  return (
    <section className="stack">
      <div className="row row-wide">
        <h3>Events that count</h3>
        <CopyCurl path={`/v1/invoices/${encodeURIComponent(invoice.id)}/lines/${line.line}/events`} />
      </div>
      <div className="sample">
        <Loaded of={events} height={120}>
          {() => (
            <DataTable
              caption="Events of the line"
              columns={COLUMNS}
              rows={rows}
              rowKey={({ partition, offset, id }) => `${partition} ${offset} ${id}`}
            />
          )}
        </Loaded>
        <MoreRows of={events} />
      </div>
    </section>
  )
}
