import { type KeyboardEvent, type PointerEvent, useId, useMemo, useState } from 'react'
import { bandPath, monotonePath, type Point } from '../../../look/charts/curves.ts'
import { everyNth, valueTicks } from '../../../look/charts/scales.ts'
import { highestOf, stacked } from '../../../look/charts/stacked.ts'
import { quantityText, shortText } from '../../../look/figures.ts'
import { type TimeShape, timeText } from '../../../look/times.ts'
import { useZone } from '../shell/preferences.ts'
import { numbersOf, OTHER, type UsageSeries } from './usage-series.ts'
import { useWidth } from './use-width.ts'

type UsageChartProps = {
  readonly of: UsageSeries
  readonly kind: 'area' | 'bars'
  readonly label: string
  readonly height?: number
  /** Totals of the time before, window by window. */
  readonly before?: readonly string[] | undefined
  readonly shape: { readonly axis: TimeShape; readonly tip: TimeShape }
}

const LEFT = 46
const TOP = 8
const BOTTOM = 24

/** Usage by window, stacked by series, in our own SVG. Arrow keys move through the windows and each is read out. */
export function UsageChart({ of, kind, label, height = 330, before, shape }: UsageChartProps) {
  const [box, width] = useWidth(760)
  const [zone] = useZone()
  const [at, setAt] = useState<number | null>(null)
  const id = useId()
  const plot = { left: LEFT, right: width, top: TOP, bottom: height - BOTTOM }
  const { windows } = of
  const drawn = useMemo(() => stacked(of.series.map(({ name, texts }) => ({ name, values: numbersOf(texts) }))), [of])
  const past = useMemo(() => (before === undefined ? [] : numbersOf(before)), [before])
  const ticks = valueTicks(Math.max(highestOf(drawn), ...past))
  const most = ticks.at(-1) ?? 1
  const y = (value: number) => plot.bottom - (value / most) * (plot.bottom - plot.top)
  const slot = (plot.right - plot.left) / Math.max(1, kind === 'bars' ? windows.length : windows.length - 1)
  const x = (index: number) => plot.left + (kind === 'bars' ? index + 0.5 : index) * slot
  const points = (values: readonly number[]): Point[] => values.map((value, index) => ({ x: x(index), y: y(value) }))
  const nth = everyNth(windows.length, Math.max(2, Math.floor((plot.right - plot.left) / 84)))

  const moveTo = (event: PointerEvent<HTMLElement>) => {
    const offset = event.clientX - event.currentTarget.getBoundingClientRect().left - plot.left
    const index = kind === 'bars' ? Math.floor(offset / slot) : Math.round(offset / slot)
    setAt(Math.min(windows.length - 1, Math.max(0, index)))
  }
  const step = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -windows.length, End: windows.length }[event.key]
    if (by === undefined) return
    event.preventDefault()
    setAt(Math.min(windows.length - 1, Math.max(0, (at ?? (by < 0 ? windows.length : -1)) + by)))
  }
  return (
    <figure
      ref={box}
      className="chart-box"
      tabIndex={0}
      aria-label={`${label}. Arrow keys read the windows.`}
      aria-describedby={id}
      onPointerMove={moveTo}
      onPointerLeave={() => setAt(null)}
      onKeyDown={step}
      onBlur={() => setAt(null)}
    >
      <svg className="chart" viewBox={`0 0 ${width} ${height}`} width={width} height={height} aria-hidden>
        {ticks.map((tick) => (
          <g key={tick}>
            <line className={tick === 0 ? 'axis' : 'grid'} x1={plot.left} x2={plot.right} y1={y(tick)} y2={y(tick)} />
            <text x={plot.left - 8} y={y(tick) + 3.5} textAnchor="end">
              {shortText(tick)}
            </text>
          </g>
        ))}
        {windows.map(({ start }, index) =>
          index % nth === 0 && x(index) < plot.right - 14 ? (
            <text key={start} x={x(index)} y={height - 8} textAnchor={index === 0 && kind === 'area' ? 'start' : 'middle'}>
              {timeText(start, shape.axis, zone)}
            </text>
          ) : null,
        )}
        {kind === 'area'
          ? drawn.map((series, index) => (
              <g key={series.name}>
                <path className={fillOf(series.name, index)} d={bandPath(points(series.to), points(series.from))} />
                <path className="sep" d={monotonePath(points(series.to))} />
              </g>
            ))
          : drawn.map((series, index) => (
              <g key={series.name} className={fillOf(series.name, index)}>
                {series.to.map((to, window) => {
                  const from = series.from[window] ?? 0
                  const start = windows[window]?.start ?? ''
                  return to > from ? (
                    <rect
                      key={start}
                      x={x(window) - slot * 0.37}
                      width={slot * 0.74}
                      y={y(to)}
                      height={Math.max(0.6, y(from) - y(to) - 0.7)}
                      rx={1}
                    />
                  ) : null
                })}
              </g>
            ))}
        {past.length > 1 ? <path className="before" d={monotonePath(points(past))} /> : null}
        {at === null ? null : <line className="cross" x1={x(at)} x2={x(at)} y1={plot.top} y2={plot.bottom} />}
      </svg>
      <div id={id} className="visually-hidden" aria-live="polite">
        {at === null
          ? ''
          : `${timeText(windows[at]?.start ?? 0, shape.tip, zone)}: ${of.series.map(({ name, texts }) => `${name} ${quantityText(texts[at] ?? '0')}`).join(', ')}`}
      </div>
      {at === null ? null : <Tip of={of} at={at} x={x(at)} width={width} shape={shape} />}
    </figure>
  )
}

function Tip({
  of,
  at,
  x,
  width,
  shape,
}: {
  of: UsageSeries
  at: number
  x: number
  width: number
  shape: { tip: TimeShape; axis: TimeShape }
}) {
  const [zone] = useZone()
  const window = of.windows[at]
  if (window === undefined) return null
  const side = x > width / 2 ? { right: width - x + 14 } : { left: x + 14 }
  return (
    <div className="tip" style={{ top: 6, ...side }}>
      <h3>
        {timeText(window.start, shape.tip, zone)} – {timeText(window.end, shape.axis, zone)}
      </h3>
      <dl>
        {of.series.map(({ name, texts }, index) => (
          <TipRow key={name} name={name} index={index} text={texts[at] ?? '0'} />
        ))}
        {of.series.length > 1 ? (
          <>
            <dt className="strong">All</dt>
            <dd className="strong">{quantityText(of.totals[at] ?? '0')}</dd>
          </>
        ) : null}
      </dl>
    </div>
  )
}

function TipRow({ name, index, text }: { name: string; index: number; text: string }) {
  return (
    <>
      <dt>
        <span className={`swatch ${groundOf(name, index)}`} /> {name}
      </dt>
      <dd>{quantityText(text)}</dd>
    </>
  )
}

export function Legend({ of, before }: { of: UsageSeries; before?: string | undefined }) {
  return (
    <span className="legend">
      {of.series.map(({ name }, index) => (
        <span key={name} className="tag">
          <span className={`swatch ${groundOf(name, index)}`} /> {name}
        </span>
      ))}
      {before === undefined ? null : (
        <span className="tag">
          <span className="dash" /> {before}
        </span>
      )}
    </span>
  )
}

/** The same figures as a table, for whoever cannot see the chart or wants to copy them. */
export function UsageTable({ of, label, shape }: { of: UsageSeries; label: string; shape: TimeShape }) {
  const [zone] = useZone()
  return (
    <section className="scroll" tabIndex={0} aria-label={label}>
      <table className="table">
        <caption className="visually-hidden">{label}</caption>
        <thead>
          <tr>
            <th scope="col">Window</th>
            {of.series.map(({ name }) => (
              <th key={name} scope="col" className="n">
                {name}
              </th>
            ))}
            <th scope="col" className="n">
              All
            </th>
          </tr>
        </thead>
        <tbody>
          {of.windows.map(({ start }, at) => (
            <tr key={start}>
              <td>{timeText(start, shape, zone)}</td>
              {of.series.map(({ name, texts }) => (
                <td key={name} className="n">
                  {quantityText(texts[at] ?? '0')}
                </td>
              ))}
              <td className="n strong">{quantityText(of.totals[at] ?? '0')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

function fillOf(name: string, index: number): string {
  return name === OTHER ? 'fo' : `f${index + 1}`
}

function groundOf(name: string, index: number): string {
  return name === OTHER ? 'bo' : `b${index + 1}`
}
