import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Activity } from 'lucide-react'
import { answered, api } from '../api/client.ts'
import { every, MOVING_MS } from '../api/live.ts'
import { EventTable } from '../events/event-table.tsx'
import { Card } from '../parts/card.tsx'
import { Empty } from '../parts/empty.tsx'
import { Loaded } from '../parts/loaded.tsx'

const SHOWN_MAX = 6

export function TailCard() {
  const events = useQuery({
    queryKey: ['events', 'tail'],
    queryFn: () => answered(api.GET('/v1/events', { params: { query: { limit: SHOWN_MAX } } })),
    ...every(MOVING_MS),
  })
  return (
    <Card title="Events as they arrive" hint="newest event time first" actions={<Link to="/events">Open events</Link>} isFlush>
      <Loaded of={events} height={220}>
        {({ data }) => (data.length === 0 ? <Empty icon={Activity} title="No event has arrived" /> : <EventTable events={data} />)}
      </Loaded>
    </Card>
  )
}
