import { useState } from 'react'
import { answered, api } from '../api/client.ts'
import { Confirm } from '../parts/confirm.tsx'
import { TextField } from '../parts/form.tsx'
import { Money } from '../parts/quantity.tsx'
import { say } from '../parts/toasts.tsx'
import type { InvoiceFormProps } from './payment-form.tsx'

export function VoidConfirm({ invoice, onDone, onClose }: InvoiceFormProps) {
  const [reason, setReason] = useState('')
  const [isBilledAnew, setBilledAnew] = useState(false)
  return (
    <Confirm
      title={`Void ${invoice.number ?? 'the document'}`}
      action="Void"
      isDangerous
      onClose={onClose}
      onConfirm={async () => {
        await answered(api.POST('/v1/invoices/{id}/void', { params: { path: { id: invoice.id } }, body: { reason, rebill: isBilledAnew } }))
        await onDone()
        say(`${invoice.number ?? 'The document'} is void.`)
      }}
    >
      <div className="form">
        <p>
          <Money of={invoice.total} currency={invoice.currency} /> is no longer owed. The number stays in the book, and this cannot be
          undone.
        </p>
        <TextField label="Reason" value={reason} onChange={setReason} />
        <label className="check">
          <input type="checkbox" checked={isBilledAnew} onChange={(event) => setBilledAnew(event.target.checked)} /> The next run bills the
          time anew
        </label>
      </div>
    </Confirm>
  )
}
