import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { addDecimals, quantityText } from '../../../look/figures.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { CopyCurl } from '../parts/copy-button.tsx'
import { Drawer } from '../parts/drawer.tsx'
import { DecimalField, SelectField, TextField, useForm } from '../parts/form.tsx'
import { say } from '../parts/toasts.tsx'
import { useFeatureNames } from './use-feature-names.ts'

type FormProps = { readonly customer: string; readonly balances: readonly Shape<'Balance'>[]; readonly onClose: () => void }

/** An amount that adds to a limit; says in figures what will be left. */
export function GrantForm({ customer, balances, onClose }: FormProps) {
  const client = useQueryClient()
  const nameOf = useFeatureNames()
  const metered = balances.filter(({ type }) => type === 'metered')
  const [feature, setFeature] = useState(metered[0]?.feature ?? '')
  const [amount, setAmount] = useState('')
  const [priority, setPriority] = useState('')
  const [expires, setExpires] = useState('')
  const body = {
    feature,
    amount,
    ...(priority === '' ? {} : { priority: Number(priority) }),
    ...(expires === '' ? {} : { expiresAt: `${expires}:00Z` }),
  }
  const { submit, isBusy, errors, wrong } = useForm(async (idempotencyKey) => {
    await answered(
      api.POST('/v1/customers/{key}/grants', { params: { path: { key: customer } }, headers: { 'Idempotency-Key': idempotencyKey }, body }),
    )
    await Promise.all(['balances', 'grants'].map((name) => client.invalidateQueries({ queryKey: [name, customer] })))
    say(`${quantityText(amount)} of ${nameOf(feature)} granted.`)
    onClose()
  })
  const balance = metered.find((each) => each.feature === feature)
  const isDecimal = /^\d+(\.\d+)?$/.test(amount)
  return (
    <Drawer
      title="Grant"
      label="Grant"
      onClose={onClose}
      foot={
        <>
          <CopyCurl method="POST" path={`/v1/customers/${encodeURIComponent(customer)}/grants`} body={body} />
          <button type="submit" form="grant-form" className="button button-primary" disabled={isBusy}>
            Grant
          </button>
        </>
      }
    >
      <form id="grant-form" className="form" onSubmit={(event) => void submit(event)}>
        <SelectField
          label="Feature"
          value={feature}
          onChange={setFeature}
          error={errors.feature}
          options={metered.map((each) => ({ value: each.feature, label: nameOf(each.feature) }))}
        />
        <DecimalField label="Amount" value={amount} onChange={setAmount} error={errors.amount} />
        <div className="form-row">
          <TextField
            label="Priority"
            value={priority}
            onChange={setPriority}
            error={errors.priority}
            placeholder="100"
            hint="Lower is used first."
          />
          <TextField
            label="Expires, UTC"
            type="datetime-local"
            value={expires}
            onChange={setExpires}
            error={errors.expiresAt}
            hint="Empty: never."
          />
        </div>
        {balance?.remaining != null && isDecimal ? (
          <div className="callout callout-info">
            <div>
              {quantityText(balance.remaining)} left now, <b>{quantityText(addDecimals([balance.remaining, amount]))}</b> with the grant.
            </div>
          </div>
        ) : null}
        {wrong}
      </form>
    </Drawer>
  )
}
