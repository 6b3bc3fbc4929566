import { addDecimals } from '../../../look/figures.ts'
import type { Shape } from '../api/client.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Instant } from '../parts/instant.tsx'
import { Quantity } from '../parts/quantity.tsx'
import { isDecimal, valueAt } from './property-paths.ts'

type UsageEvent = Shape<'Event'>
type Read = { readonly event: UsageEvent; readonly counts: string | null; readonly why: string | null }
const SHOWN_MAX = 10
const IS_PATH = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/

/** What the newest stored events would count as. Properties are read here; an expression is judged by the server when it is saved. */
export function MeterPreview({
  events,
  aggregation,
  values,
}: {
  events: readonly UsageEvent[]
  aggregation: string
  values: readonly string[]
}) {
  if (events.length === 0) return null
  if (aggregation !== 'count' && !values.every((value) => IS_PATH.test(value)))
    return <p className="small muted">An expression is shown on stored events once it is saved.</p>
  const rows = events.slice(0, SHOWN_MAX).map((event) => read(event, aggregation, values))
  const columns: readonly Column<Read>[] = [
    { name: 'time', head: 'Event time', cell: ({ event }) => <Instant at={event.time} />, isTight: true },
    { name: 'id', head: 'Id', cell: ({ event }) => <code>{event.id}</code> },
    { name: 'customer', head: 'Customer', cell: ({ event }) => event.customer },
    {
      name: 'counts',
      head: 'Counts as',
      isFigure: true,
      cell: ({ counts, why }) => (counts === null ? <span className="bad">{why}</span> : <Quantity of={counts} />),
    },
  ]
  return (
    <section className="stack">
      <h3>On the newest {rows.length} stored events</h3>
      <div className="sample">
        <DataTable
          caption="What stored events would count as"
          columns={columns}
          rows={rows}
          rowKey={({ event }) => `${event.customer} ${event.source} ${event.id}`}
        />
      </div>
    </section>
  )
}

function read(event: UsageEvent, aggregation: string, values: readonly string[]): Read {
  if (aggregation === 'count') return { event, counts: '1', why: null }
  if (values.length === 0) return { event, counts: null, why: 'no value is chosen' }
  const found = values.map((path) => valueAt(event.data as Readonly<Record<string, unknown>>, path))
  if (aggregation === 'unique')
    return found.every((each) => each === undefined)
      ? { event, counts: null, why: 'the value is not in the event' }
      : { event, counts: '1', why: null }
  const missing = values.find((_, at) => found[at] === undefined || found[at] === null)
  if (missing !== undefined) return { event, counts: null, why: `${missing} is not in the event` }
  const text = values.find((_, at) => !isDecimal(found[at]))
  if (text !== undefined) return { event, counts: null, why: `${text} is no number` }
  return { event, counts: addDecimals(found.map(String)), why: null }
}
