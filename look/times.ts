/** Instants in one zone at a time. English has the day before the month, and 24 hours. */
const LANGUAGE = 'en-GB'
const formats = new Map<string, Intl.DateTimeFormat>()

const SHAPES = {
  day: { day: 'numeric', month: 'short' },
  date: { day: 'numeric', month: 'short', year: 'numeric' },
  longDate: { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit' },
  dayAndTime: { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
  dateAndTime: { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' },
  time: { hour: '2-digit', minute: '2-digit' },
  seconds: { hour: '2-digit', minute: '2-digit', second: '2-digit' },
  milliseconds: { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 },
  month: { month: 'long', year: 'numeric' },
  full: {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
  },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>

export type TimeShape = keyof typeof SHAPES

export function timeText(instant: string | number | Date, shape: TimeShape, zone: string): string {
  const name = `${shape} ${zone}`
  const format = formats.get(name) ?? new Intl.DateTimeFormat(LANGUAGE, { ...SHAPES[shape], timeZone: zone, hourCycle: 'h23' })
  formats.set(name, format)
  return format.format(new Date(instant)).replace(' at ', ', ')
}

/** `14 Nov – 14 Dec`: half-open, so the end is the first day that is not in it. */
export function periodText(start: string, end: string | null, zone: string): string {
  return `${timeText(start, 'day', zone)} – ${end === null ? 'open' : timeText(end, 'day', zone)}`
}

/** `12 s ago`, `in 3 days`: whole units, the largest that fits. */
export function agoText(instant: string, nowMs: number): string {
  const ms = nowMs - Date.parse(instant)
  const [value, unit] = unitsOf(Math.abs(ms))
  const text = `${value} ${unit}${unit === 'day' && value !== 1 ? 's' : ''}`
  return ms < 0 ? `in ${text}` : `${text} ago`
}

function unitsOf(ms: number): readonly [number, string] {
  if (ms < 60_000) return [Math.round(ms / 1_000), 's']
  if (ms < 3_600_000) return [Math.round(ms / 60_000), 'min']
  if (ms < 48 * 3_600_000) return [Math.round(ms / 3_600_000), 'h']
  return [Math.round(ms / 86_400_000), 'day']
}
