import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { addDecimals, changeText, moneyText, quantityText } from '../../../look/figures.ts'
import { timeText } from '../../../look/times.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { Spark } from '../parts/spark.tsx'
import { RANGES, type RangeName } from '../parts/time-range.ts'
import { numbersOf } from '../parts/usage-series.ts'
import { useUncounted } from './use-uncounted.ts'
import type { UsageRead } from './use-usage.ts'

/** The figures at the top: each says its window, and opens to what it is made of. */
export function Figures({ meter, usage, range }: { meter: Shape<'Meter'> | null; usage: UsageRead; range: RangeName }) {
  const { label, before } = RANGES[range]
  const now = usage.data?.now
  const past = usage.data?.before
  const change = now === undefined || past === undefined ? null : changeText(now.total, past.total)
  return (
    <section className="card kpis" aria-label="Figures">
      <Kpi
        name={`${meter?.key ?? 'Usage'}, ${label}`}
        to="/meters"
        spark={now === undefined ? undefined : numbersOf(now.totals)}
        value={now === undefined ? '–' : quantityText(now.total)}
        note={<Change text={change} against={before} />}
      />
      <Kpi
        name={`Events counted, ${label}`}
        to="/events"
        value={now === undefined ? '–' : quantityText(now.events)}
        note={
          <Change
            text={now === undefined || past === undefined ? null : changeText(String(now.events), String(past.events))}
            against={before}
          />
        }
      />
      <InvoicedKpi />
      <OpenKpi />
      <UncountedKpi />
    </section>
  )
}

function Kpi({
  name,
  value,
  unit,
  note,
  to,
  spark,
}: {
  name: string
  value: string
  unit?: string
  note: ReactNode
  to: string
  spark?: readonly number[] | undefined
}) {
  return (
    <div className="kpi">
      <div className="name">{name}</div>
      <div className="value">
        <Link className="opens" to={to}>
          {value}
        </Link>
        {unit === undefined ? null : <span className="unit"> {unit}</span>}
      </div>
      <div className="note">{note}</div>
      {spark === undefined ? null : <Spark values={spark} />}
    </div>
  )
}

function Change({ text, against }: { text: string | null; against: string }) {
  if (text === null) return <>nothing in {against}</>
  return (
    <>
      <span className={text.startsWith('+') ? 'delta-up' : 'delta-down'}>{text}</span> to {against}
    </>
  )
}

/** Months are of UTC: that is how the API closes them. */
export function monthOf(nowMs: number, back = 0): string {
  const now = new Date(nowMs)
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1)).toISOString().slice(0, 7)
}

export function useMonth(month: string) {
  return useQuery({
    queryKey: ['month', month],
    queryFn: () => answered(api.GET('/v1/billing/months/{month}', { params: { path: { month } } })),
    ...every(LIST_MS),
  })
}

/** What documents of a month come to: invoices less credit notes, without those that were voided, by currency. */
export function invoicedOf(month: Shape<'BillingMonth'>): readonly { readonly currency: string; readonly total: string }[] {
  const counted = month.documents.filter(({ status }) => status !== 'void')
  return [...Map.groupBy(counted, ({ currency }) => currency)].map(([currency, rows]) => ({
    currency,
    total: addDecimals(rows.map(({ document, total }) => (document === 'creditNote' ? `-${total}` : total))),
  }))
}

function InvoicedKpi() {
  const month = useMonth(monthOf(Date.now()))
  const before = useMonth(monthOf(Date.now(), 1))
  const [first, ...others] = month.data === undefined ? [] : invoicedOf(month.data)
  const past = before.data === undefined ? undefined : invoicedOf(before.data).find(({ currency }) => currency === first?.currency)
  const name = timeText(Date.now(), 'month', 'UTC').split(' ')[0] ?? ''
  const change = first === undefined || past === undefined ? null : changeText(first.total, past.total)
  return (
    <Kpi
      name={`Invoiced in ${name}${first === undefined ? '' : `, ${first.currency}`}`}
      to="/invoices"
      value={month.data === undefined ? '–' : first === undefined ? '0' : moneyText(first.total, first.currency)}
      note={
        others.length > 0 ? (
          others.map(({ currency, total }) => `${moneyText(total, currency)} ${currency}`).join(' · ')
        ) : (
          <Change text={change} against="the month before" />
        )
      }
    />
  )
}

function OpenKpi() {
  const month = useMonth(monthOf(Date.now()))
  return (
    <Kpi
      name="Documents to come"
      to="/billing-runs"
      value={month.data === undefined ? '–' : quantityText(month.data.openCount)}
      note={month.data?.isClosed === true ? 'the month is closed' : 'that close this month'}
    />
  )
}

function UncountedKpi() {
  const uncounted = useUncounted()
  const count = uncounted.data?.data.reduce((sum, group) => sum + group.count, 0)
  const isMore = uncounted.data?.complete === false
  return (
    <Kpi
      name="Count for nothing, 24 h"
      to="/events"
      value={count === undefined ? '–' : `${isMore ? 'over ' : ''}${quantityText(count)}`}
      note={count === 0 ? 'every event is counted' : 'events that no meter could count'}
    />
  )
}
