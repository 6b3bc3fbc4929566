import { useState } from 'react'
import { compareDecimals, moneyText, quantityText, subtractDecimals } from '../../../look/figures.ts'
import type { Shape } from '../api/client.ts'
import { useFeatureNames } from '../customers/use-feature-names.ts'
import { Card } from '../parts/card.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { type ChargeDraft, priceOf } from './draft.ts'
import { rangeOf } from './price-range.ts'
import { useRate } from './use-rate.ts'

type CostsCardProps = { readonly charge: ChargeDraft; readonly sold: Shape<'Plan'> | null; readonly currency: string }

/** The calculator: the engine itself says what a quantity costs, line by line, in the draft and in the version that is sold. */
export function CostsCard({ charge, sold, currency }: CostsCardProps) {
  const nameOf = useFeatureNames()
  const most = rangeOf(charge)
  const [typed, setTyped] = useState<string | null>(null)
  const quantity = typed ?? String(Math.round(most / 5))
  const before = sold?.charges.find(({ key }) => key === charge.key)
  const now = useRate(priceOf(charge), quantity, currency)
  const was = useRate(before?.price ?? null, quantity, currency)
  const difference = now.data === undefined || was.data === undefined ? null : subtractDecimals(now.data.amount, was.data.amount)
  return (
    <Card title="What it costs" hint="exact, by the rating engine">
      <div className="form">
        <div className="row">
          <input
            type="range"
            min={0}
            max={most}
            step={Math.max(1, Math.round(most / 200))}
            value={Number(quantity)}
            aria-label={`${nameOf(charge.feature)} in a period`}
            onChange={(event) => setTyped(event.target.value)}
          />
          <input
            className="input input-num short"
            inputMode="decimal"
            aria-label="Quantity"
            value={quantity}
            onChange={(event) => setTyped(event.target.value.replaceAll(',', ''))}
          />
        </div>
        <Loaded of={now} height={100}>
          {({ lines, amount, exact }) => (
            <dl className="pairs">
              {lines.map(({ tier, quantity: part, unitAmount, flatAmount, exact: comes }) => (
                <Line
                  key={`${tier} ${part} ${comes}`}
                  name={`${quantityText(part)}${unitAmount === undefined ? '' : ` × ${quantityText(unitAmount)}${charge.per === '' ? '' : ` per ${quantityText(charge.per)}`}`}${flatAmount === undefined ? '' : ` + ${quantityText(flatAmount)}`}`}
                  value={moneyText(comes, currency)}
                />
              ))}
              <dt className="strong">{sold === null ? 'Comes to' : 'Draft'}</dt>
              <dd className="big">{moneyText(amount, currency)}</dd>
              {compareDecimals(exact, amount) === 0 ? null : <Line name="Exact" value={quantityText(exact)} />}
              {was.data === undefined || sold === null ? null : (
                <>
                  <dt>Version {sold.version}</dt>
                  <dd>
                    {moneyText(was.data.amount, currency)}{' '}
                    {difference === null || compareDecimals(difference, '0') === 0 ? null : (
                      <span className={compareDecimals(difference, '0') > 0 ? 'delta-down' : 'delta-up'}>
                        {moneyText(difference, currency)}
                      </span>
                    )}
                  </dd>
                </>
              )}
            </dl>
          )}
        </Loaded>
      </div>
    </Card>
  )
}

function Line({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  )
}
