import { useState } from 'react'
import { addDecimals, moneyText } from '../../../look/figures.ts'
import { answered, api } from '../api/client.ts'
import { useFeatureNames } from '../customers/use-feature-names.ts'
import { Drawer } from '../parts/drawer.tsx'
import { SelectField, TextField, useForm } from '../parts/form.tsx'
import { say } from '../parts/toasts.tsx'
import { lineName } from './line-name.ts'
import type { InvoiceFormProps } from './payment-form.tsx'

/** Takes back lines, whole or in part; the server gives tax and discount back in proportion. */
export function CreditNoteForm({ invoice, onDone, onClose }: InvoiceFormProps) {
  const nameOf = useFeatureNames()
  const [amounts, setAmounts] = useState<Readonly<Record<string, string>>>({})
  const [reason, setReason] = useState('')
  const [refund, setRefund] = useState('balance')
  const chosen = Object.entries(amounts).filter(([, amount]) => amount !== '')
  const { submit, isBusy, errors, wrong } = useForm(async (idempotencyKey) => {
    const lines = chosen.map(([line, amount]) => ({ line, amount }))
    const body = { lines, reason, refund: refund as 'balance' | 'external' }
    await answered(
      api.POST('/v1/invoices/{id}/credit-notes', {
        params: { path: { id: invoice.id } },
        headers: { 'Idempotency-Key': idempotencyKey },
        body,
      }),
    )
    await onDone()
    say('The credit note is final.')
    onClose()
  })
  const sum = addDecimals(chosen.map(([, amount]) => (/^\d+(\.\d+)?$/.test(amount) ? amount : '0')))
  return (
    <Drawer
      title="Credit note"
      label="Credit note"
      onClose={onClose}
      foot={
        <>
          <span className="muted end">
            {moneyText(sum, invoice.currency)} {invoice.currency} net, and its tax
          </span>
          <button type="submit" form="credit-note-form" className="button button-primary" disabled={isBusy || chosen.length === 0}>
            Issue credit note
          </button>
        </>
      }
    >
      <form id="credit-note-form" className="form" onSubmit={(event) => void submit(event)}>
        {invoice.lines.map((line) => (
          <div key={line.line} className="row row-wide">
            <label htmlFor={`take-${line.line}`}>
              {lineName(line, nameOf)} <span className="muted num">{moneyText(line.net, invoice.currency)}</span>
            </label>
            <input
              id={`take-${line.line}`}
              className="input input-num short"
              inputMode="decimal"
              placeholder="0"
              value={amounts[line.line] ?? ''}
              onChange={(event) => setAmounts({ ...amounts, [line.line]: event.target.value.replaceAll(',', '') })}
            />
          </div>
        ))}
        <TextField label="Reason" value={reason} onChange={setReason} error={errors.reason} />
        <SelectField
          label="What comes back"
          value={refund}
          onChange={setRefund}
          error={errors.refund}
          options={[
            { value: 'balance', label: 'to the balance of the account' },
            { value: 'external', label: 'paid back elsewhere' },
          ]}
        />
        {wrong}
      </form>
    </Drawer>
  )
}
