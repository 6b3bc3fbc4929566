import { periodText, type TimeShape, timeText } from '../../../look/times.ts'
import { useZone } from '../shell/preferences.ts'

/** An instant in the zone of the page; the full one on hover. */
export function Instant({ at, shape = 'dateAndTime' }: { at: string; shape?: TimeShape }) {
  const [zone] = useZone()
  return (
    <time dateTime={at} title={`${timeText(at, 'full', zone)} ${zone}`}>
      {timeText(at, shape, zone)}
    </time>
  )
}

export function Period({ start, end }: { start: string; end: string | null }) {
  const [zone] = useZone()
  return (
    <span className="nowrap" title={`${timeText(start, 'full', zone)} to ${end === null ? 'open' : timeText(end, 'full', zone)} ${zone}`}>
      {periodText(start, end, zone)}
    </span>
  )
}
