import { Boxes, ChartColumnIncreasing, Minus, Trash2, TrendingDown } from 'lucide-react'
import type { Shape } from '../api/client.ts'
import { useFeatures } from '../customers/use-feature-names.ts'
import { DecimalField, SelectField, TextField } from '../parts/form.tsx'
import type { ChargeDraft, Model } from './draft.ts'
import { TierTable } from './tier-table.tsx'

const MODELS = [
  { model: 'flat', name: 'Flat', means: 'one price for every unit', icon: Minus },
  { model: 'package', name: 'Package', means: 'whole packages', icon: Boxes },
  { model: 'tiered', name: 'Tiered', means: 'each tier at its price', icon: ChartColumnIncreasing },
  { model: 'volume', name: 'Volume', means: 'all at the tier reached', icon: TrendingDown },
  { model: 'stairstep', name: 'Stairstep', means: 'one amount a step', icon: ChartColumnIncreasing },
] as const satisfies readonly { readonly model: Model; readonly name: string; readonly means: string; readonly icon: typeof Minus }[]

type ChargeFormProps = {
  readonly charge: ChargeDraft
  readonly before: Shape<'Plan'>['charges'][number] | undefined
  readonly at: number
  readonly errors: Readonly<Record<string, string>>
  readonly onChange: (charge: ChargeDraft) => void
  readonly onRemove: () => void
}

/** One charge. Fields are named as in the API, so that what the server finds wrong lands on them. */
export function ChargeForm({ charge, before, at, errors, onChange, onRemove }: ChargeFormProps) {
  const { data: features } = useFeatures()
  const metered = (features?.data ?? []).filter(({ type }) => type === 'metered')
  const unit = metered.find(({ key }) => key === charge.feature)?.unit ?? undefined
  const error = (field: string) => errors[`charges[${at}].${field}`]
  const set = (change: Partial<ChargeDraft>) => onChange({ ...charge, ...change })
  const isTiered = charge.model === 'tiered' || charge.model === 'volume' || charge.model === 'stairstep'
  return (
    <div className="pad form">
      <div className="form-row">
        <TextField label="Key" value={charge.key} onChange={(key) => set({ key })} error={error('key')} />
        <SelectField
          label="Feature"
          value={charge.feature}
          onChange={(feature) => set({ feature })}
          error={error('feature')}
          options={metered.map(({ key, name }) => ({ value: key, label: name }))}
        />
        {charge.model === 'package' ? null : (
          <DecimalField
            label="Priced per"
            value={charge.per}
            onChange={(per) => set({ per })}
            error={error('price.per')}
            placeholder="1"
            unit={unit ?? 'units'}
          />
        )}
        <button
          type="button"
          className="button button-quiet button-icon align-end"
          aria-label={`Remove charge ${charge.key}`}
          onClick={onRemove}
        >
          <Trash2 className="icon" aria-hidden />
        </button>
      </div>
      {Object.keys(charge.filter).length === 0 ? null : (
        <p className="small muted">
          Only where{' '}
          {Object.entries(charge.filter)
            .map(([name, values]) => `${name} is ${values.join(' or ')}`)
            .join(', ')}
        </p>
      )}
      <div className="models" role="radiogroup" aria-label="Price model">
        {MODELS.map(({ model, name, means, icon: Icon }) => (
          <button
            key={model}
            type="button"
            className="model"
            role="radio"
            aria-checked={charge.model === model}
            onClick={() => set({ model })}
          >
            <Icon className="icon icon-s" aria-hidden />
            <b>{name}</b>
            <span>{means}</span>
          </button>
        ))}
      </div>
      {charge.model === 'flat' ? (
        <DecimalField
          label="Price"
          value={charge.unitAmount}
          onChange={(unitAmount) => set({ unitAmount })}
          error={error('price.unitAmount')}
        />
      ) : null}
      {charge.model === 'package' ? (
        <div className="form-row">
          <DecimalField
            label="Price of a package"
            value={charge.amount}
            onChange={(amount) => set({ amount })}
            error={error('price.amount')}
          />
          <DecimalField
            label="Units in it"
            value={charge.packageSize}
            onChange={(packageSize) => set({ packageSize })}
            error={error('price.packageSize')}
            unit={unit}
          />
          <DecimalField
            label="Free units"
            value={charge.freeUnits}
            onChange={(freeUnits) => set({ freeUnits })}
            error={error('price.freeUnits')}
            placeholder="0"
          />
        </div>
      ) : null}
      {isTiered ? (
        <TierTable charge={charge} before={before} error={(field) => error(`price.${field}`)} onChange={(tiers) => set({ tiers })} />
      ) : null}
      {error('price') === undefined ? null : <span className="field-error">{error('price')}</span>}
    </div>
  )
}
