import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { Drawer } from '../parts/drawer.tsx'
import { DecimalField, TextField, useForm } from '../parts/form.tsx'
import { say } from '../parts/toasts.tsx'

export type InvoiceFormProps = { readonly invoice: Shape<'Invoice'>; readonly onDone: () => Promise<void>; readonly onClose: () => void }

/** A payment that came in elsewhere; a reference counts once. */
export function PaymentForm({ invoice, onDone, onClose }: InvoiceFormProps) {
  const [amount, setAmount] = useState(invoice.due)
  const [reference, setReference] = useState('')
  const { submit, isBusy, errors, wrong } = useForm(async () => {
    await answered(api.POST('/v1/invoices/{id}/payments', { params: { path: { id: invoice.id } }, body: { amount, reference } }))
    await onDone()
    say('The payment is recorded.')
    onClose()
  })
  return (
    <Drawer
      title="Record payment"
      label="Record payment"
      onClose={onClose}
      foot={
        <button type="submit" form="payment-form" className="button button-primary" disabled={isBusy}>
          Record payment
        </button>
      }
    >
      <form id="payment-form" className="form" onSubmit={(event) => void submit(event)}>
        <DecimalField label="Amount" value={amount} onChange={setAmount} error={errors.amount} unit={invoice.currency} />
        <TextField
          label="Reference"
          value={reference}
          onChange={setReference}
          error={errors.reference}
          hint="Where it was made: of the bank or the payment service. It counts once."
        />
        {wrong}
      </form>
    </Drawer>
  )
}
