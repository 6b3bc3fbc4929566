import { useQuery } from '@tanstack/react-query'
import { quantityText } from '../../../look/figures.ts'
import { timeText } from '../../../look/times.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { Card } from '../parts/card.tsx'
import { useAddress } from '../parts/use-address.ts'
import { useWidth } from '../parts/use-width.ts'
import { useZone } from '../shell/preferences.ts'

type Trace = NonNullable<Shape<'InvoiceLine'>['trace']>
type Block = { readonly label: string; readonly trace: Trace; readonly isThis: boolean }

const LEFT = 62
const ROW = 46
const LINES_MAX = 8

/** What the chosen line covers: event time upwards, log positions to the right. Each accepted event is in exactly one rectangle. */
export function RectangleCard({ invoice }: { invoice: Shape<'Invoice'> }) {
  const [address] = useAddress()
  const line =
    invoice.lines.find((each) => each.line === address.line && each.trace !== undefined) ??
    invoice.lines.find(({ trace }) => trace !== undefined)
  const others = useQuery({
    queryKey: ['invoices', 'rectangle', invoice.customer],
    queryFn: () => answered(api.GET('/v1/invoices', { params: { query: { customer: invoice.customer, limit: 12 } } })),
    enabled: line !== undefined,
  })
  if (line?.trace === undefined) return null
  const same = (trace: Trace) =>
    trace.meter === line.trace?.meter &&
    JSON.stringify(trace.filter) === JSON.stringify(line.trace?.filter) &&
    trace.partition === line.trace?.partition
  const documents = [invoice, ...(others.data?.data ?? []).filter(({ id, status }) => id !== invoice.id && status !== 'void')]
  const blocks = documents
    .flatMap((document) =>
      document.lines.flatMap((each): Block[] =>
        each.trace !== undefined && same(each.trace)
          ? [
              {
                label: document.id === invoice.id ? `line ${each.line}` : (document.number ?? 'draft'),
                trace: each.trace,
                isThis: document.id === invoice.id && each.line === line.line,
              },
            ]
          : [],
      ),
    )
    .slice(0, LINES_MAX)
  return (
    <Card title={`What line ${line.line} covers`}>
      <Rectangle blocks={blocks} />
      <p className="small muted">
        Event time upwards, log positions of partition {line.trace.partition} to the right. Each accepted event is in exactly one rectangle.
      </p>
    </Card>
  )
}

function Rectangle({ blocks }: { blocks: readonly Block[] }) {
  const [zone] = useZone()
  const [box, width] = useWidth(300)
  const starts = [...new Set(blocks.map(({ trace }) => trace.from))].sort().reverse()
  const most = Math.max(1, ...blocks.map(({ trace }) => trace.offsetTo))
  const height = (starts.length + 1) * ROW + 22
  const x = (offset: number) => LEFT + (offset / (most * 1.08)) * (width - LEFT)
  const marks = [...new Set(blocks.map(({ trace }) => trace.offsetTo))]
  return (
    <figure
      ref={box}
      aria-label={blocks
        .map(({ label, trace }) => `${label}: events from ${trace.from} to ${trace.to}, positions ${trace.offsetFrom} to ${trace.offsetTo}`)
        .join('; ')}
    >
      <svg className="chart" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden>
        <rect className="block-open" x={LEFT} y={4} width={width - LEFT - 1} height={ROW - 10} rx={4} />
        <text x={(LEFT + width) / 2} y={ROW / 2 + 3} textAnchor="middle">
          not billed yet
        </text>
        {starts.map((start, row) => (
          <g key={start}>
            <text x={0} y={(row + 1) * ROW + ROW / 2 + 2}>
              {timeText(start, 'day', zone)}
            </text>
            <rect className="block-open" x={LEFT} y={(row + 1) * ROW + 4} width={width - LEFT - 1} height={ROW - 10} rx={4} />
          </g>
        ))}
        {blocks.map(({ label, trace, isThis }) => {
          const y = (starts.indexOf(trace.from) + 1) * ROW + 4
          const wide = Math.max(3, x(trace.offsetTo) - x(trace.offsetFrom))
          return (
            <g key={`${label} ${trace.from} ${trace.offsetFrom}`}>
              <rect className={isThis ? 'f1' : 'block-other'} x={x(trace.offsetFrom)} y={y} width={wide} height={ROW - 10} rx={4} />
              {wide > 44 ? (
                <text
                  className={isThis ? 'on-accent' : 'strong'}
                  x={x(trace.offsetFrom) + wide / 2}
                  y={y + ROW / 2 - 1}
                  textAnchor="middle"
                >
                  {label}
                </text>
              ) : null}
            </g>
          )
        })}
        {marks.slice(0, 3).map((offset) => (
          <text key={offset} x={x(offset)} y={height - 6} textAnchor="middle">
            {quantityText(offset)}
          </text>
        ))}
      </svg>
    </figure>
  )
}
