import { Plus, X } from 'lucide-react'
import { quantityText } from '../../../look/figures.ts'
import type { Shape } from '../api/client.ts'
import type { ChargeDraft, TierDraft } from './draft.ts'

type TierTableProps = {
  readonly charge: ChargeDraft
  readonly before: Shape<'Plan'>['charges'][number] | undefined
  readonly error: (field: string) => string | undefined
  readonly onChange: (tiers: readonly TierDraft[]) => void
}

/** The tiers, with the price that each has in the version that is sold. The last one has no end. */
export function TierTable({ charge, before, error, onChange }: TierTableProps) {
  const { tiers, per } = charge
  const sold = before !== undefined && 'tiers' in before.price ? before.price.tiers : []
  const set = (at: number, change: Partial<TierDraft>) =>
    onChange(tiers.map((tier, index) => (index === at ? { ...tier, ...change } : tier)))
  const add = () => {
    const last = tiers.at(-1) ?? { upTo: '', unitAmount: '', flatAmount: '' }
    onChange([
      ...tiers.slice(0, -1),
      { ...last, upTo: last.upTo === '' ? '' : last.upTo },
      { upTo: '', unitAmount: last.unitAmount, flatAmount: '' },
    ])
  }
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Tiers">
      <table className="tiers">
        <caption className="visually-hidden">Tiers</caption>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">Up to, with</th>
            <th scope="col">Price of {per === '' ? 'one' : quantityTextOf(per)}</th>
            <th scope="col">Flat amount</th>
            <th scope="col">Sold</th>
            <th scope="col">
              <span className="visually-hidden">Remove</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tiers.map((tier, at) => {
            const isLast = at === tiers.length - 1
            const was = sold[at]
            const isChanged = before !== undefined && (was?.unitAmount ?? '') !== tier.unitAmount
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: a tier is its place
              <tr key={at}>
                <td className="right muted">{at === 0 ? '0' : quantityTextOf(tiers[at - 1]?.upTo ?? '')}</td>
                <td>
                  <input
                    className="input input-num"
                    inputMode="decimal"
                    aria-label={`Tier ${at + 1} up to`}
                    aria-invalid={error(`tiers[${at}].upTo`) !== undefined}
                    placeholder="∞"
                    disabled={isLast}
                    value={isLast ? '' : tier.upTo}
                    onChange={(event) => set(at, { upTo: event.target.value.replaceAll(',', '') })}
                  />
                </td>
                <td>
                  <input
                    className={isChanged ? 'input input-num changed' : 'input input-num'}
                    inputMode="decimal"
                    aria-label={`Tier ${at + 1} price`}
                    aria-invalid={error(`tiers[${at}].unitAmount`) !== undefined}
                    value={tier.unitAmount}
                    onChange={(event) => set(at, { unitAmount: event.target.value.replaceAll(',', '') })}
                  />
                </td>
                <td>
                  <input
                    className="input input-num"
                    inputMode="decimal"
                    aria-label={`Tier ${at + 1} flat amount`}
                    aria-invalid={error(`tiers[${at}].flatAmount`) !== undefined}
                    placeholder="0.00"
                    value={tier.flatAmount}
                    onChange={(event) => set(at, { flatAmount: event.target.value.replaceAll(',', '') })}
                  />
                </td>
                <td className="small muted">
                  {before === undefined ? '' : was === undefined ? 'new' : isChanged ? (was.unitAmount ?? '–') : ''}
                </td>
                <td>
                  {tiers.length > 1 ? (
                    <button
                      type="button"
                      className="opener"
                      aria-label={`Remove tier ${at + 1}`}
                      onClick={() => onChange(tiers.filter((_, index) => index !== at))}
                    >
                      <X className="icon icon-s" aria-hidden />
                    </button>
                  ) : null}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {tiers
        .map((_, at) =>
          ['upTo', 'unitAmount', 'flatAmount'].map((field) => error(`tiers[${at}].${field}`)).find((text) => text !== undefined),
        )
        .map((text, at) =>
          text === undefined ? null : (
            <div key={text} className="field-error">
              Tier {at + 1}: {text}
            </div>
          ),
        )}
      <button type="button" className="button button-quiet button-s" onClick={add}>
        <Plus className="icon icon-s" aria-hidden /> Add tier
      </button>
    </div>
  )
}

function quantityTextOf(typed: string): string {
  return /^\d+(\.\d+)?$/.test(typed) ? quantityText(typed) : typed
}
