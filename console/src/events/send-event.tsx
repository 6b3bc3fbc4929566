import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api } from '../api/client.ts'
import { CopyCurl } from '../parts/copy-button.tsx'
import { Drawer } from '../parts/drawer.tsx'
import { Field, TextField, useForm } from '../parts/form.tsx'
import { say } from '../parts/toasts.tsx'

/** A test event, and the call that sends it. */
export function SendEvent({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const [id, setId] = useState(() => `test-${crypto.randomUUID().slice(0, 8)}`)
  const [type, setType] = useState('llm.request')
  const [customer, setCustomer] = useState('acme')
  const [data, setData] = useState('{ "model": "small", "tokens": 1200 }')
  const [wrongData, setWrongData] = useState<string | undefined>()
  const { submit, isBusy, errors, wrong } = useForm(async () => {
    const parsed = parsedObject(data)
    setWrongData(parsed === null ? 'This is no JSON object.' : undefined)
    if (parsed === null) return
    const { warnings = [] } = await answered(
      api.POST('/v1/events', { params: { query: { waitMs: 2_000 } }, body: { id, type, customer, data: parsed } }),
    )
    await client.invalidateQueries({ queryKey: ['events'] })
    say(warnings[0] === undefined ? `Event ${id} was accepted.` : `Event ${id} was accepted: ${warnings[0].detail}`)
    onClose()
  })
  return (
    <Drawer
      title="Send a test event"
      label="Send a test event"
      onClose={onClose}
      foot={
        <>
          <CopyCurl method="POST" path="/v1/events" body={{ id, type, customer, data: parsedObject(data) ?? {} }} />
          <button type="submit" form="send-event" className="button button-primary" disabled={isBusy}>
            Send
          </button>
        </>
      }
    >
      <form id="send-event" className="form" onSubmit={(event) => void submit(event)}>
        <TextField label="Id" value={id} onChange={setId} error={errors.id} hint="A repeat of an id counts once." />
        <TextField label="Type" value={type} onChange={setType} error={errors.type} />
        <TextField
          label="Customer"
          value={customer}
          onChange={setCustomer}
          error={errors.customer}
          hint="A customer that is not known appears with its first event."
        />
        <Field label="Data" error={wrongData}>
          {(props) => <textarea {...props} className="input" rows={6} value={data} onChange={(event) => setData(event.target.value)} />}
        </Field>
        {wrong}
      </form>
    </Drawer>
  )
}

function parsedObject(text: string): Record<string, never> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, never>) : null
  } catch {
    return null
  }
}
