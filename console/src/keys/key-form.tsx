import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { Drawer } from '../parts/drawer.tsx'
import { TextField, useForm } from '../parts/form.tsx'

const SCOPES = [
  { scope: 'ingest', means: 'send events and reports' },
  { scope: 'read', means: 'read everything but secrets' },
  { scope: 'decide', means: 'ask, reserve and settle' },
  { scope: 'manage', means: 'customers, subscriptions, grants' },
  { scope: 'billing', means: 'invoices, credits, runs' },
  { scope: 'admin', means: 'everything: catalog, keys, settings' },
] as const
type Scope = (typeof SCOPES)[number]['scope']

export function KeyForm({ onClose, onMade }: { onClose: () => void; onMade: (made: Shape<'CreateKeyAnswer'>) => void }) {
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState<readonly Scope[]>(['read'])
  const [addresses, setAddresses] = useState('')
  const [expires, setExpires] = useState('')
  const { submit, isBusy, errors, wrong } = useForm(async () => {
    const allowedFrom = addresses.split(',').flatMap((each) => (each.trim() === '' ? [] : [each.trim()]))
    const body = { name, scopes: [...scopes], allowedFrom, ...(expires === '' ? {} : { expiresAt: `${expires}:00Z` }) }
    const made = await answered(api.POST('/v1/keys', { body }))
    await client.invalidateQueries({ queryKey: ['keys'] })
    onClose()
    onMade(made)
  })
  return (
    <Drawer
      title="New key"
      label="New key"
      onClose={onClose}
      foot={
        <button type="submit" form="key-form" className="button button-primary" disabled={isBusy}>
          Make key
        </button>
      }
    >
      <form id="key-form" className="form" onSubmit={(event) => void submit(event)}>
        <TextField label="Name" value={name} onChange={setName} error={errors.name} placeholder="gateway-prod" />
        <fieldset className="stack plain">
          <legend className="label">Scopes</legend>
          {SCOPES.map(({ scope, means }) => (
            <label key={scope} className="check">
              <input
                type="checkbox"
                checked={scopes.includes(scope)}
                onChange={(event) => setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((each) => each !== scope))}
              />
              <b>{scope}</b> <span className="muted">{means}</span>
            </label>
          ))}
          {errors.scopes === undefined ? null : <span className="field-error">{errors.scopes}</span>}
        </fieldset>
        <TextField
          label="Only from addresses"
          value={addresses}
          onChange={setAddresses}
          error={errors.allowedFrom ?? errors['allowedFrom[0]']}
          placeholder="from anywhere"
          hint="IP addresses and ranges, with commas between."
        />
        <TextField
          label="Ends, UTC"
          type="datetime-local"
          value={expires}
          onChange={setExpires}
          error={errors.expiresAt}
          hint="Empty: it does not end by itself."
        />
        {wrong}
      </form>
    </Drawer>
  )
}
