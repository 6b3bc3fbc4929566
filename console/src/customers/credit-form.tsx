import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api } from '../api/client.ts'
import { Drawer } from '../parts/drawer.tsx'
import { DecimalField, TextField, useForm } from '../parts/form.tsx'
import { say } from '../parts/toasts.tsx'

export function CreditForm({ customer, onClose }: { customer: string; onClose: () => void }) {
  const client = useQueryClient()
  const [amount, setAmount] = useState('')
  const [paid, setPaid] = useState('')
  const [currency, setCurrency] = useState('')
  const { submit, isBusy, errors, wrong } = useForm(async (idempotencyKey) => {
    const body = { amount, ...(paid === '' ? {} : { paid }), ...(currency === '' ? {} : { currency }) }
    await answered(
      api.POST('/v1/customers/{key}/credits', {
        params: { path: { key: customer } },
        headers: { 'Idempotency-Key': idempotencyKey },
        body,
      }),
    )
    await Promise.all(['credits', 'wallet'].map((name) => client.invalidateQueries({ queryKey: [name, customer] })))
    say('The credit was given.')
    onClose()
  })
  return (
    <Drawer
      title="Give credit"
      label="Give credit"
      onClose={onClose}
      foot={
        <button type="submit" form="credit-form" className="button button-primary" disabled={isBusy}>
          Give credit
        </button>
      }
    >
      <form id="credit-form" className="form" onSubmit={(event) => void submit(event)}>
        <DecimalField label="Amount" value={amount} onChange={setAmount} error={errors.amount} />
        <DecimalField label="Paid for it" value={paid} onChange={setPaid} error={errors.paid} hint="Without tax; empty: it is a gift." />
        <TextField label="Currency" value={currency} onChange={setCurrency} error={errors.currency} placeholder="the customer’s" />
        {wrong}
      </form>
    </Drawer>
  )
}
