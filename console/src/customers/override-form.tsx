import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { Drawer } from '../parts/drawer.tsx'
import { DecimalField, Field, SelectField, useForm } from '../parts/form.tsx'
import { say } from '../parts/toasts.tsx'
import { useFeatures } from './use-feature-names.ts'

/** Terms of one feature for one customer, in place of the plan's. */
export function OverrideForm({
  customer,
  balances,
  onClose,
}: {
  customer: string
  balances: readonly Shape<'Balance'>[]
  onClose: () => void
}) {
  const client = useQueryClient()
  const { data: features } = useFeatures()
  const [feature, setFeature] = useState(balances[0]?.feature ?? '')
  const [limit, setLimit] = useState('')
  const [limitType, setLimitType] = useState('hard')
  const [value, setValue] = useState('true')
  const type = features?.data.find(({ key }) => key === feature)?.type ?? 'metered'
  const path = { params: { path: { key: customer, feature } } }
  const done = async (text: string) => {
    await client.invalidateQueries({ queryKey: ['balances', customer] })
    say(text)
    onClose()
  }
  const put = useForm(async () => {
    const body =
      type === 'metered'
        ? { limit: limit === '' ? null : limit, limitType: limitType as 'hard' | 'soft' }
        : { value: parsed(value) as never }
    await answered(api.PUT('/v1/customers/{key}/entitlements/{feature}', { ...path, body }))
    await done(`${feature} of ${customer} has terms of its own now.`)
  })
  const remove = useForm(async () => {
    await answered(api.DELETE('/v1/customers/{key}/entitlements/{feature}', path))
    await done(`${feature} of ${customer} follows the plan again.`)
  })
  return (
    <Drawer
      title="Override"
      label="Override"
      onClose={onClose}
      foot={
        <>
          <button type="button" className="button" disabled={remove.isBusy} onClick={() => void remove.submit()}>
            Back to the plan
          </button>
          <button type="submit" form="override-form" className="button button-primary" disabled={put.isBusy}>
            Override
          </button>
        </>
      }
    >
      <form id="override-form" className="form" onSubmit={(event) => void put.submit(event)}>
        <SelectField
          label="Feature"
          value={feature}
          onChange={setFeature}
          options={(features?.data ?? []).map(({ key, name }) => ({ value: key, label: name }))}
        />
        {type === 'metered' ? (
          <div className="form-row">
            <DecimalField label="Limit" value={limit} onChange={setLimit} error={put.errors.limit} placeholder="no limit" />
            <SelectField
              label="At the limit"
              value={limitType}
              onChange={setLimitType}
              options={[
                { value: 'hard', label: 'refuse' },
                { value: 'soft', label: 'go on, and say so' },
              ]}
            />
          </div>
        ) : (
          <Field label="Value" error={put.errors.value} hint="JSON; true or false for a feature that is on or off">
            {(props) => <textarea {...props} className="input" rows={3} value={value} onChange={(event) => setValue(event.target.value)} />}
          </Field>
        )}
        {put.wrong}
        {remove.wrong}
      </form>
    </Drawer>
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
