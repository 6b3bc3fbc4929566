import { TriangleAlert } from 'lucide-react'
import { quantityText } from '../../../look/figures.ts'
import type { Shape } from '../api/client.ts'
import { useUncounted } from '../overview/use-uncounted.ts'
import { Card } from '../parts/card.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Instant } from '../parts/instant.tsx'
import { useAddress } from '../parts/use-address.ts'
import { reasonText } from './reasons.ts'

type Group = Shape<'UncountedEvent'>
const COLUMNS: readonly Column<Group>[] = [
  { name: 'type', head: 'Type', cell: ({ type }) => <b>{type}</b> },
  { name: 'reason', head: 'Why', cell: ({ reason, meter }) => reasonText(reason, meter) },
  { name: 'since', head: 'Since', cell: ({ since }) => <Instant at={since} />, compare: (a, b) => (a.since < b.since ? -1 : 1) },
  { name: 'samples', head: 'For example', cell: ({ samples }) => <code className="muted">{samples[0]}</code> },
  { name: 'count', head: 'Events', cell: ({ count }) => quantityText(count), isFigure: true, compare: (a, b) => a.count - b.count },
]

/** What counted for nothing in the last day, in groups; nothing stands here when everything counts. */
export function UncountedCard() {
  const uncounted = useUncounted()
  const [, change] = useAddress()
  const groups = uncounted.data?.data ?? []
  if (groups.length === 0) return null
  return (
    <Card
      title={
        <span className="row">
          <TriangleAlert className="icon warn" aria-hidden /> Count for nothing
        </span>
      }
      hint={`last 24 hours${uncounted.data?.complete === false ? ', the first 200,000 events' : ''}`}
      isFlush
    >
      <DataTable
        caption="Events that count for nothing"
        columns={COLUMNS}
        rows={groups}
        rowKey={({ type, meter, reason }) => `${type} ${meter} ${reason}`}
        onOpen={({ type }) => change({ type, counted: 'false' })}
      />
    </Card>
  )
}
