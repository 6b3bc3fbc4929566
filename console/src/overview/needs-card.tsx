import { Link } from '@tanstack/react-router'
import { CircleCheck, TriangleAlert } from 'lucide-react'
import { quantityText } from '../../../look/figures.ts'
import type { Shape } from '../api/client.ts'
import { reasonText } from '../events/reasons.ts'
import { Card } from '../parts/card.tsx'
import { Empty } from '../parts/empty.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { useUncounted } from './use-uncounted.ts'

const SHOWN_MAX = 4

/** What a person should look at. */
export function NeedsCard() {
  const uncounted = useUncounted()
  return (
    <Card title="Needs you" hint="last 24 hours" isFlush>
      <Loaded of={uncounted} height={150}>
        {({ data }) =>
          data.length === 0 ? (
            <Empty icon={CircleCheck} title="Nothing">
              <p>Every event of the last day counts for something.</p>
            </Empty>
          ) : (
            <div className="list">
              {data.slice(0, SHOWN_MAX).map((group) => (
                <Need key={`${group.type} ${group.meter} ${group.reason}`} group={group} />
              ))}
            </div>
          )
        }
      </Loaded>
    </Card>
  )
}

function Need({ group: { type, meter, reason, count, since } }: { group: Shape<'UncountedEvent'> }) {
  return (
    <div className="need">
      <span className={meter === null ? 'mark mark-warn' : 'mark mark-bad'}>
        <TriangleAlert className="icon" aria-hidden />
      </span>
      <div className="grow-1">
        <h3>
          {quantityText(count)} {count === 1 ? 'event counts' : 'events count'} for nothing
        </h3>
        <p className="small muted">
          type <code>{type}</code>, {reasonText(reason, meter)}, since <Instant at={since} />
        </p>
      </div>
      <Link className="button button-s" to="/events" search={{ counted: 'false', type } as never}>
        See them
      </Link>
    </div>
  )
}
