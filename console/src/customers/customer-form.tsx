import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { Drawer } from '../parts/drawer.tsx'
import { TextField, useForm } from '../parts/form.tsx'
import { say } from '../parts/toasts.tsx'

/** Makes a customer, or changes one. A put empties what it does not name, so what the form does not show goes back as it was. */
export function CustomerForm({ customer, onClose }: { customer?: Shape<'Customer'>; onClose: () => void }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [key, setKey] = useState(customer?.key ?? '')
  const [name, setName] = useState(customer?.name ?? '')
  const [email, setEmail] = useState(customer?.email ?? '')
  const [subjects, setSubjects] = useState(customer?.subjects.join(', ') ?? '')
  const [currency, setCurrency] = useState(customer?.currency ?? '')
  const [timezone, setTimezone] = useState(customer?.timezone ?? '')
  const { submit, isBusy, errors, wrong } = useForm(async () => {
    const { key: _key, createdAt, updatedAt, archivedAt, ...kept } = customer ?? ({} as Partial<Shape<'Customer'>>)
    const body = {
      ...kept,
      name: name === '' ? null : name,
      email: email === '' ? null : email,
      subjects: subjects.split(',').flatMap((each) => (each.trim() === '' ? [] : [each.trim()])),
      ...(currency === '' ? { currency: undefined } : { currency }),
      ...(timezone === '' ? { timezone: undefined } : { timezone }),
    }
    await answered(api.PUT('/v1/customers/{key}', { params: { path: { key } }, body }))
    await client.invalidateQueries({ queryKey: ['customers'] })
    await client.invalidateQueries({ queryKey: ['customer', key] })
    say(`Customer ${key} was ${customer === undefined ? 'made' : 'changed'}.`)
    onClose()
    if (customer === undefined) void navigate({ to: '/customers/$key', params: { key } as never })
  })
  const title = customer === undefined ? 'New customer' : 'Change customer'
  return (
    <Drawer
      title={title}
      label={title}
      onClose={onClose}
      foot={
        <button type="submit" form="customer-form" className="button button-primary" disabled={isBusy}>
          {customer === undefined ? 'Make customer' : 'Save'}
        </button>
      }
    >
      <form id="customer-form" className="form" onSubmit={(event) => void submit(event)}>
        <TextField
          label="Key"
          value={key}
          onChange={setKey}
          error={errors.key}
          isDisabled={customer !== undefined}
          hint="Your own id: what events name."
        />
        <TextField label="Name" value={name} onChange={setName} error={errors.name} />
        <TextField label="E-mail" type="email" value={email} onChange={setEmail} error={errors.email} />
        <TextField
          label="Subjects"
          value={subjects}
          onChange={setSubjects}
          error={errors.subjects}
          hint="Other names that its events may carry, with commas between."
        />
        <div className="form-row">
          <TextField label="Currency" value={currency} onChange={setCurrency} error={errors.currency} placeholder="that of the plan" />
          <TextField label="Time zone" value={timezone} onChange={setTimezone} error={errors.timezone} placeholder="UTC" />
        </div>
        {wrong}
      </form>
    </Drawer>
  )
}
