import { useInfiniteQuery } from '@tanstack/react-query'
import { Activity, Send } from 'lucide-react'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { every, MOVING_MS } from '../api/live.ts'
import { Card } from '../parts/card.tsx'
import { Choice } from '../parts/choice.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { Empty } from '../parts/empty.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { MoreRows } from '../parts/more-rows.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { SearchBox } from '../parts/search-box.tsx'
import { useAddress } from '../parts/use-address.ts'
import { useMay } from '../shell/session.ts'
import { EventDrawer } from './event-drawer.tsx'
import { EventTable, eventKey } from './event-table.tsx'
import { SendEvent } from './send-event.tsx'
import { UncountedCard } from './uncounted-card.tsx'

const FILTERS = [
  { name: 'customer', label: 'Customer or subject' },
  { name: 'type', label: 'Type' },
  { name: 'id', label: 'Id' },
  { name: 'source', label: 'Source' },
] as const
const COUNTED = [
  { value: '', label: 'all events' },
  { value: 'true', label: 'those that count' },
  { value: 'false', label: 'those that count for nothing' },
]
const PAGE_EVENTS = 50

/** Did it arrive, and why did it not count? */
export function Events() {
  const [address, change] = useAddress()
  const mayIngest = useMay('ingest')
  const [open, setOpen] = useState<Shape<'Event'> | null>(null)
  const filter = filterOf(address)
  const events = useInfiniteQuery({
    queryKey: ['events', filter],
    queryFn: ({ pageParam }) =>
      answered(
        api.GET('/v1/events', {
          params: { query: { ...filter, limit: PAGE_EVENTS, ...(pageParam === null ? {} : { cursor: pageParam }) } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    ...every(MOVING_MS),
  })
  const rows = events.data?.pages.flatMap(({ data }) => data)
  return (
    <>
      <PageHead title="Events" sub="Every accepted event, newest event time first, and whether meters can read it.">
        <CopyCurl path={`/v1/events?${new URLSearchParams(Object.entries(filter).map(([name, value]) => [name, String(value)]))}`} />
        <button
          type="button"
          className="button"
          disabled={!mayIngest}
          title={mayIngest ? undefined : 'Needs scope ingest'}
          onClick={() => change({ send: 'on' })}
        >
          <Send className="icon" aria-hidden /> Send a test event
        </button>
      </PageHead>
      <UncountedCard />
      <Card
        title="Events"
        hint={rows === undefined ? undefined : `${rows.length} shown`}
        actions={
          <div className="filters">
            {FILTERS.map(({ name, label }) => (
              <SearchBox key={name} label={label} value={address[name] ?? ''} onChange={(value) => change({ [name]: value })} />
            ))}
            <Choice
              label="Counted"
              prefix="Show"
              value={address.counted ?? ''}
              onChange={(counted) => change({ counted })}
              options={COUNTED}
            />
          </div>
        }
        isFlush
      >
        <Loaded of={events} height={420}>
          {() =>
            rows?.length === 0 ? (
              <Empty icon={Activity} title={Object.keys(filter).length === 0 ? 'No event has arrived' : 'No event is like this'}>
                <p>
                  {Object.keys(filter).length === 0
                    ? 'Send the first with the button above, curl, the SDK, or tollgate import.'
                    : 'Take a filter away, or look at other times.'}
                </p>
              </Empty>
            ) : (
              <EventTable events={rows ?? []} onOpen={setOpen} openKey={open === null ? null : eventKey(open)} />
            )
          }
        </Loaded>
        <MoreRows of={events} />
      </Card>
      {open === null ? null : <EventDrawer event={open} onClose={() => setOpen(null)} />}
      {address.send === 'on' ? <SendEvent onClose={() => change({ send: undefined })} /> : null}
    </>
  )
}

function filterOf(address: Readonly<Record<string, string | undefined>>) {
  const { customer, type, id, source, counted } = address
  return {
    ...(customer === undefined ? {} : { customer }),
    ...(type === undefined ? {} : { type }),
    ...(id === undefined ? {} : { id }),
    ...(source === undefined ? {} : { source }),
    ...(counted === undefined ? {} : { counted: counted === 'true' }),
  }
}
