import { Link } from '@tanstack/react-router'
import { CircleCheck, CircleX } from 'lucide-react'
import type { Shape } from '../api/client.ts'
import { useMeters } from '../meters/use-meters.ts'
import { CopyButton, CopyCurl } from '../parts/copy-button.tsx'
import { Drawer } from '../parts/drawer.tsx'
import { Instant } from '../parts/instant.tsx'
import { JsonView } from '../parts/json-view.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { reasonText } from './reasons.ts'

type UsageEvent = Shape<'Event'>

/** One event as it is kept, and for each meter of its type whether it can be read, or why not. */
export function EventDrawer({ event, onClose }: { event: UsageEvent; onClose: () => void }) {
  const meters = useMeters()
  return (
    <Drawer title={<code>{event.id}</code>} label={`Event ${event.id}`} isWide onClose={onClose}>
      <dl className="pairs">
        <dt>Type</dt>
        <dd>{event.type}</dd>
        <dt>Customer</dt>
        <dd>
          <Link to="/customers/$key" params={{ key: event.customer } as never}>
            {event.customer}
          </Link>
          {event.subject === null ? null : <span className="muted"> as {event.subject}</span>}
        </dd>
        <dt>Event time</dt>
        <dd>
          <Instant at={event.time} shape="full" />
        </dd>
        <dt>Received</dt>
        <dd>
          <Instant at={event.receivedAt} shape="full" />
        </dd>
        <dt>Source</dt>
        <dd>{event.source}</dd>
      </dl>
      <section className="stack">
        <h3>What it counts as</h3>
        <Loaded of={meters} height={60}>
          {({ data }) => <Meters event={event} meters={data.filter(({ eventType }) => eventType === event.type)} />}
        </Loaded>
      </section>
      <section className="stack">
        <div className="row row-wide">
          <h3>Data</h3>
          <div className="row">
            <CopyButton label="JSON" text={JSON.stringify(event.data, null, 2)} />
            <CopyCurl path={`/v1/events/${encodeURIComponent(event.id)}?customer=${encodeURIComponent(event.customer)}`} />
          </div>
        </div>
        <JsonView value={event.data} label="Data of the event" />
        {event.attributes === null ? null : <JsonView value={event.attributes} label="Further attributes" />}
      </section>
    </Drawer>
  )
}

function Meters({ event, meters }: { event: UsageEvent; meters: readonly Shape<'Meter'>[] }) {
  if (meters.length === 0) {
    return (
      <div className="callout callout-warn">
        <div>
          No meter reads the type <code>{event.type}</code>, so it counts for nothing. A meter that is made now counts it too.{' '}
          <Link to="/meters" search={{ new: 'on', type: event.type } as never}>
            Make a meter
          </Link>
        </div>
      </div>
    )
  }
  return (
    <div className="stack">
      {meters.map((meter) => {
        const wrong = event.uncounted.find((each) => each.meter === meter.key)
        const rounded = event.rounded.find((each) => each.meter === meter.key)
        const Icon = wrong === undefined ? CircleCheck : CircleX
        return (
          <div key={meter.key} className={wrong === undefined ? 'callout callout-ok' : 'callout callout-bad'}>
            <Icon className="icon" aria-hidden />
            <div>
              <Link to="/meters" search={{ meter: meter.key } as never}>
                <b>{meter.key}</b>
              </Link>{' '}
              {wrong !== undefined
                ? `counts nothing: ${reasonText(wrong.reason, null)}`
                : rounded !== undefined
                  ? `counts ${rounded.counted}, rounded at the ninth fractional digit`
                  : `can read it: ${meter.aggregation}${meter.value === undefined ? '' : ` of ${[meter.value].flat().join(' + ')}`}`}
              {meter.where === undefined ? null : ', where its conditions hold'}
            </div>
          </div>
        )
      })}
    </div>
  )
}
