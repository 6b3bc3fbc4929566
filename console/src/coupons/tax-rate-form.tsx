import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api } from '../api/client.ts'
import { Drawer } from '../parts/drawer.tsx'
import { DecimalField, TextField, useForm } from '../parts/form.tsx'
import { say } from '../parts/toasts.tsx'

export function TaxRateForm({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const [key, setKey] = useState('')
  const [name, setName] = useState('')
  const [percent, setPercent] = useState('')
  const [inclusive, setInclusive] = useState(false)
  const { submit, isBusy, errors, wrong } = useForm(async () => {
    await answered(api.PUT('/v1/tax-rates/{key}', { params: { path: { key } }, body: { name, percent, inclusive } }))
    await client.invalidateQueries({ queryKey: ['tax-rates'] })
    say(`Tax rate ${name} was saved.`)
    onClose()
  })
  return (
    <Drawer
      title="New tax rate"
      label="New tax rate"
      onClose={onClose}
      foot={
        <button type="submit" form="tax-rate-form" className="button button-primary" disabled={isBusy}>
          Make tax rate
        </button>
      }
    >
      <form id="tax-rate-form" className="form" onSubmit={(event) => void submit(event)}>
        <TextField label="Key" value={key} onChange={setKey} error={errors.key} placeholder="vat-20" />
        <TextField label="Name" value={name} onChange={setName} error={errors.name} placeholder="VAT" />
        <DecimalField label="Percent" value={percent} onChange={setPercent} error={errors.percent} />
        <label className="check">
          <input type="checkbox" checked={inclusive} onChange={(event) => setInclusive(event.target.checked)} /> The price has it in it
        </label>
        {wrong}
      </form>
    </Drawer>
  )
}
