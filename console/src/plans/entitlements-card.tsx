import { Plus, X } from 'lucide-react'
import { useFeatureNames, useFeatures } from '../customers/use-feature-names.ts'
import { Card } from '../parts/card.tsx'
import type { BuilderProps } from './basics-card.tsx'

const RESETS = ['interval', 'hour', 'day', 'week', '28days', 'month', 'quarter', 'year', 'never'] as const

/** What the plan allows: a limit for a metered feature, on or off, or a value. */
export function EntitlementsCard({ draft, sold, errors, onChange }: BuilderProps) {
  const nameOf = useFeatureNames()
  const { data: features } = useFeatures()
  const typeOf = (feature: string) => features?.data.find(({ key }) => key === feature)?.type ?? 'metered'
  const rest = (features?.data ?? []).filter(({ key }) => !draft.entitlements.some(({ feature }) => feature === key))
  const set = (feature: string, change: object) =>
    onChange({ ...draft, entitlements: draft.entitlements.map((each) => (each.feature === feature ? { ...each, ...change } : each)) })
  const add = (key: string) =>
    onChange({
      ...draft,
      entitlements: [
        ...draft.entitlements,
        typeOf(key) === 'metered' ? { feature: key, limit: null, limitType: 'hard', reset: 'interval' } : { feature: key, value: true },
      ],
    })
  return (
    <Card
      title="Entitlements"
      hint="what it allows"
      actions={
        rest.length === 0 ? null : (
          <label className="select select-s choice">
            <Plus className="icon icon-s" aria-hidden />
            <select aria-label="Add feature" value="" onChange={(event) => add(event.target.value)}>
              <option value="">Add feature</option>
              {rest.map(({ key, name }) => (
                <option key={key} value={key}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )
      }
      isFlush
    >
      <section className="scroll" tabIndex={0} aria-label="Entitlements">
        <table className="table">
          <caption className="visually-hidden">Entitlements</caption>
          <thead>
            <tr>
              <th scope="col">Feature</th>
              <th scope="col" className="n">
                Limit
              </th>
              <th scope="col">At the limit</th>
              <th scope="col">Reset</th>
              <th scope="col">Left over</th>
              <th scope="col">
                <span className="visually-hidden">Remove</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {draft.entitlements.map((entitlement, at) => {
              const { feature, limit, limitType, reset, rollover, value } = entitlement
              const isMetered = value === undefined
              const was = sold?.entitlements.find((each) => each.feature === feature)
              const isChanged = sold !== null && (was?.limit ?? null) !== (limit ?? null)
              const error = errors[`entitlements[${at}].limit`]
              return (
                <tr key={feature}>
                  <td>{nameOf(feature)}</td>
                  <td className="n">
                    {isMetered ? (
                      <>
                        <input
                          className={isChanged ? 'input input-num short changed' : 'input input-num short'}
                          inputMode="decimal"
                          aria-label={`Limit of ${nameOf(feature)}`}
                          aria-invalid={error !== undefined}
                          placeholder="no limit"
                          value={limit ?? ''}
                          onChange={(event) =>
                            set(feature, { limit: event.target.value === '' ? null : event.target.value.replaceAll(',', '') })
                          }
                        />
                        {error === undefined ? null : <div className="field-error">{error}</div>}
                      </>
                    ) : value === true ? (
                      'on'
                    ) : value === false ? (
                      'off'
                    ) : (
                      <code>{JSON.stringify(value)}</code>
                    )}
                  </td>
                  <td>
                    {isMetered ? (
                      <select
                        className="input"
                        aria-label={`At the limit of ${nameOf(feature)}`}
                        value={limitType ?? 'hard'}
                        onChange={(event) => set(feature, { limitType: event.target.value })}
                      >
                        <option value="hard">hard: refuse</option>
                        <option value="soft">soft: go on</option>
                      </select>
                    ) : (
                      '–'
                    )}
                  </td>
                  <td>
                    {isMetered ? (
                      <select
                        className="input"
                        aria-label={`Reset of ${nameOf(feature)}`}
                        value={reset ?? 'interval'}
                        onChange={(event) => set(feature, { reset: event.target.value })}
                      >
                        {RESETS.map((name) => (
                          <option key={name} value={name}>
                            {name === 'interval' ? 'each period' : name}
                          </option>
                        ))}
                      </select>
                    ) : (
                      '–'
                    )}
                  </td>
                  <td className="muted">{isMetered ? (rollover == null ? 'lost' : `${rollover.percent} % rolls over`) : '–'}</td>
                  <td className="tight">
                    <button
                      type="button"
                      className="opener"
                      aria-label={`Remove ${nameOf(feature)}`}
                      onClick={() => onChange({ ...draft, entitlements: draft.entitlements.filter((each) => each.feature !== feature) })}
                    >
                      <X className="icon icon-s" aria-hidden />
                    </button>
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </section>
    </Card>
  )
}
