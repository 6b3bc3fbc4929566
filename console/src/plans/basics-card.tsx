import { useQuery } from '@tanstack/react-query'
import { answered, api, type Shape } from '../api/client.ts'
import { Card } from '../parts/card.tsx'
import { DecimalField, options, SelectField, TextField } from '../parts/form.tsx'
import type { PlanDraft } from './draft.ts'

export type BuilderProps = {
  readonly draft: PlanDraft
  readonly sold: Shape<'Plan'> | null
  readonly errors: Readonly<Record<string, string>>
  readonly onChange: (draft: PlanDraft) => void
}

const INTERVALS = ['day', 'week', '28days', 'month', '3months', '6months', 'year', 'once'] as const

export function BasicsCard({ draft, sold, errors, onChange }: BuilderProps) {
  const products = useQuery({
    queryKey: ['products'],
    queryFn: () => answered(api.GET('/v1/products', { params: { query: { limit: 1000 } } })),
  })
  const set =
    <Name extends keyof PlanDraft>(name: Name) =>
    (value: PlanDraft[Name]) =>
      onChange({ ...draft, [name]: value })
  return (
    <Card title="Basics">
      <div className="form">
        {sold === null ? (
          <div className="form-row">
            <TextField label="Key" value={draft.key} onChange={set('key')} error={errors.key} placeholder="scale" />
            <SelectField
              label="Product"
              value={draft.product}
              onChange={set('product')}
              error={errors.product}
              options={(products.data?.data ?? []).map(({ key, name }) => ({ value: key, label: name }))}
            />
          </div>
        ) : null}
        <div className="form-row">
          <TextField label="Name" value={draft.name} onChange={set('name')} error={errors.name} />
          <TextField label="Currency" value={draft.currency} onChange={set('currency')} error={errors.currency} />
          <SelectField
            label="Every"
            value={draft.interval}
            onChange={(value) => onChange({ ...draft, interval: value as PlanDraft['interval'] })}
            error={errors.interval}
            options={options(INTERVALS)}
          />
          <DecimalField
            label="Base fee"
            value={draft.baseFee}
            onChange={set('baseFee')}
            error={errors.baseFee}
            placeholder="0.00"
            unit={draft.currency}
          />
          <SelectField
            label="Due"
            value={draft.baseFeeTiming}
            onChange={(value) => onChange({ ...draft, baseFeeTiming: value as 'advance' | 'arrears' })}
            options={[
              { value: 'advance', label: 'in advance' },
              { value: 'arrears', label: 'in arrears' },
            ]}
          />
        </div>
      </div>
    </Card>
  )
}
