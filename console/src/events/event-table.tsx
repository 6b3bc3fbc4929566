import { Link } from '@tanstack/react-router'
import type { Shape } from '../api/client.ts'
import { useMeters } from '../meters/use-meters.ts'
import { Badge } from '../parts/badge.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Instant } from '../parts/instant.tsx'
import { reasonText } from './reasons.ts'

type UsageEvent = Shape<'Event'>

const COLUMNS: readonly Column<UsageEvent>[] = [
  {
    name: 'time',
    head: 'Event time',
    cell: ({ time }) => (
      <span className="mono">
        <Instant at={time} shape="milliseconds" />
      </span>
    ),
    isTight: true,
  },
  { name: 'type', head: 'Type', cell: ({ type }) => type },
  {
    name: 'customer',
    head: 'Customer',
    cell: ({ customer }) => (
      <Link to="/customers/$key" params={{ key: customer } as never} onClick={(event) => event.stopPropagation()}>
        {customer}
      </Link>
    ),
  },
  { name: 'data', head: 'Data', cell: ({ data }) => <span className="muted">{shortData(data)}</span> },
  { name: 'id', head: 'Id', cell: ({ id }) => <code className="muted">{id.length > 24 ? `${id.slice(0, 23)}…` : id}</code> },
  { name: 'counted', head: <span className="visually-hidden">Counted</span>, isFigure: true, cell: (event) => <Counted event={event} /> },
]

export function EventTable({
  events,
  onOpen,
  openKey,
}: {
  events: readonly UsageEvent[]
  onOpen?: (event: UsageEvent) => void
  openKey?: string | null
}) {
  return (
    <DataTable
      caption="Events"
      columns={COLUMNS}
      rows={events}
      rowKey={eventKey}
      openKey={openKey ?? null}
      {...(onOpen === undefined ? {} : { onOpen })}
    />
  )
}

export function eventKey({ customer, source, id, time }: UsageEvent): string {
  return `${customer} ${source} ${id} ${time}`
}

function Counted({ event }: { event: UsageEvent }) {
  const meters = useMeters()
  const [first] = event.uncounted
  if (meters.data !== undefined && !meters.data.data.some(({ eventType }) => eventType === event.type)) {
    return <span className="warn small">counts for nothing: {reasonText('unread_type', null)}</span>
  }
  if (first !== undefined) return <span className="bad small">counts for nothing: {reasonText(first.reason, first.meter)}</span>
  return event.rounded.length > 0 ? <Badge tone="warn">rounded</Badge> : <Badge tone="ok">read</Badge>
}

const SHOWN_PROPERTIES = 3

function shortData(data: object): string {
  return Object.entries(data)
    .filter(([, value]) => typeof value !== 'object')
    .slice(0, SHOWN_PROPERTIES)
    .map(([name, value]) => `${name} ${String(value).slice(0, 24)}`)
    .join(', ')
}
