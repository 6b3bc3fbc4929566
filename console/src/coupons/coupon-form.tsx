import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api } from '../api/client.ts'
import { Drawer } from '../parts/drawer.tsx'
import { DecimalField, SelectField, TextField, useForm } from '../parts/form.tsx'
import { say } from '../parts/toasts.tsx'

export function CouponForm({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const [key, setKey] = useState('')
  const [kind, setKind] = useState('percent')
  const [off, setOff] = useState('')
  const [currency, setCurrency] = useState('USD')
  const [duration, setDuration] = useState('once')
  const { submit, isBusy, errors, wrong } = useForm(async () => {
    const body = { duration: duration as 'once' | 'forever', ...(kind === 'percent' ? { percent: off } : { amount: off, currency }) }
    await answered(api.PUT('/v1/coupons/{key}', { params: { path: { key } }, body }))
    await client.invalidateQueries({ queryKey: ['coupons'] })
    say(`Coupon ${key} can be used.`)
    onClose()
  })
  return (
    <Drawer
      title="New coupon"
      label="New coupon"
      onClose={onClose}
      foot={
        <button type="submit" form="coupon-form" className="button button-primary" disabled={isBusy}>
          Make coupon
        </button>
      }
    >
      <form id="coupon-form" className="form" onSubmit={(event) => void submit(event)}>
        <TextField label="Key" value={key} onChange={setKey} error={errors.key} placeholder="LAUNCH10" />
        <div className="form-row">
          <SelectField
            label="Takes off"
            value={kind}
            onChange={setKind}
            options={[
              { value: 'percent', label: 'a share' },
              { value: 'amount', label: 'an amount' },
            ]}
          />
          <DecimalField
            label={kind === 'percent' ? 'Percent' : 'Amount'}
            value={off}
            onChange={setOff}
            error={errors.percent ?? errors.amount}
          />
          {kind === 'amount' ? <TextField label="Currency" value={currency} onChange={setCurrency} error={errors.currency} /> : null}
        </div>
        <SelectField
          label="For"
          value={duration}
          onChange={setDuration}
          error={errors.duration}
          options={[
            { value: 'once', label: 'one invoice' },
            { value: 'forever', label: 'every invoice' },
          ]}
        />
        {wrong}
      </form>
    </Drawer>
  )
}
