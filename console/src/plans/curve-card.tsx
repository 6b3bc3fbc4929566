import { useQuery } from '@tanstack/react-query'
import { linePath } from '../../../look/charts/curves.ts'
import { valueTicks } from '../../../look/charts/scales.ts'
import { shortText, toNumber } from '../../../look/figures.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { Card } from '../parts/card.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { useWidth } from '../parts/use-width.ts'
import { type ChargeDraft, priceOf } from './draft.ts'
import { rangeOf } from './price-range.ts'

type PriceInput = Shape<'RateInput'>['price']
type Curve = readonly { readonly quantity: number; readonly amount: number }[]
const POINTS = 24

/** Price and average price by quantity, of the draft and of what is sold: each point is an answer of the rating engine. */
export function CurveCard({ charge, sold, currency }: { charge: ChargeDraft; sold: Shape<'Plan'> | null; currency: string }) {
  const most = rangeOf(charge)
  const before = sold?.charges.find(({ key }) => key === charge.key)?.price ?? null
  const price = priceOf(charge)
  const curves = useQuery({
    queryKey: ['curve', price, before, most, currency],
    queryFn: async () => ({ now: await curveOf(price, most, currency), was: before === null ? [] : await curveOf(before, most, currency) }),
    placeholderData: (previous) => previous,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
  return (
    <Card
      title="Price by quantity"
      actions={
        <span className="legend small muted">
          <span className="tag">
            <svg width="16" height="4" aria-hidden>
              <path className="k1 line-1" d="M0 2H16" />
            </svg>{' '}
            {sold === null ? 'price' : 'draft'}
          </span>
          {before === null ? null : (
            <span className="tag">
              <span className="dash" /> version {sold?.version}
            </span>
          )}
        </span>
      }
    >
      <Loaded of={curves} height={300}>
        {({ now, was }) => (
          <>
            <Lines
              label={`Price in ${currency} by quantity`}
              now={now}
              was={was}
              height={190}
              bounds={
                charge.model === 'flat' || charge.model === 'package'
                  ? []
                  : charge.tiers.slice(0, -1).map(({ upTo }) => toNumber(upTo) || 0)
              }
            />
            <p className="small muted">Average price of {charge.per === '' ? 'one' : shortText(toNumber(charge.per))}</p>
            <Lines label="Average price by quantity" now={average(now, charge)} was={average(was, charge)} height={110} bounds={[]} />
          </>
        )}
      </Loaded>
    </Card>
  )
}

async function curveOf(price: PriceInput, most: number, currency: string): Promise<Curve> {
  const quantities = Array.from({ length: POINTS + 1 }, (_, at) => Math.round((most * at) / POINTS))
  return Promise.all(
    quantities.map(async (quantity) => {
      const { exact } = await answered(api.POST('/v1/rate', { body: { price, quantity: String(quantity), currency } }))
      return { quantity, amount: toNumber(exact) }
    }),
  )
}

function average(curve: Curve, { per }: ChargeDraft): Curve {
  const block = toNumber(per) || 1
  return curve.filter(({ quantity }) => quantity > 0).map(({ quantity, amount }) => ({ quantity, amount: (amount / quantity) * block }))
}

const LEFT = 48
const BOTTOM = 20

function Lines({ label, now, was, height, bounds }: { label: string; now: Curve; was: Curve; height: number; bounds: readonly number[] }) {
  const [box, width] = useWidth(440)
  const far = Math.max(1, ...now.map(({ quantity }) => quantity))
  const ticks = valueTicks(Math.max(...now.map(({ amount }) => amount), ...was.map(({ amount }) => amount), 0), 3)
  const most = ticks.at(-1) ?? 1
  const x = (quantity: number) => LEFT + (quantity / far) * (width - LEFT - 12)
  const y = (amount: number) => height - BOTTOM - (amount / most) * (height - BOTTOM - 14)
  const path = (curve: Curve) => linePath(curve.map(({ quantity, amount }) => ({ x: x(quantity), y: y(amount) })))
  return (
    <figure
      ref={box}
      aria-label={`${label}: ${now
        .filter((_, at) => at % 6 === 0)
        .map(({ quantity, amount }) => `${quantity} costs ${amount}`)
        .join(', ')}`}
    >
      <svg className="chart" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden>
        {ticks.map((tick) => (
          <g key={tick}>
            <line className={tick === 0 ? 'axis' : 'grid'} x1={LEFT} x2={width - 12} y1={y(tick)} y2={y(tick)} />
            <text x={LEFT - 8} y={y(tick) + 3.5} textAnchor="end">
              {shortText(tick)}
            </text>
          </g>
        ))}
        {[0, 0.33, 0.67, 1].map((share) => (
          <text key={share} x={x(far * share)} y={height - 4} textAnchor="middle">
            {shortText(far * share)}
          </text>
        ))}
        {bounds.map((bound) => (
          <line key={bound} className="bound" x1={x(bound)} x2={x(bound)} y1={8} y2={y(0)} />
        ))}
        <path className="was" d={path(was)} />
        <path className="k1 line-1" d={path(now)} />
      </svg>
    </figure>
  )
}
