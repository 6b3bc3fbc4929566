import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { Drawer } from '../parts/drawer.tsx'
import { SelectField, useForm } from '../parts/form.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { Money } from '../parts/quantity.tsx'
import { say } from '../parts/toasts.tsx'

type SubscribeFormProps = { readonly customer: string; readonly active: Shape<'Subscription'> | null; readonly onClose: () => void }

/** A first plan, another plan with the exact preview of what the change bills, or the end. */
export function SubscribeForm({ customer, active, onClose }: SubscribeFormProps) {
  const client = useQueryClient()
  const plans = useQuery({ queryKey: ['plans'], queryFn: () => answered(api.GET('/v1/plans', { params: { query: { limit: 1000 } } })) })
  const [plan, setPlan] = useState('')
  const [at, setAt] = useState('now')
  const chosen = plan === '' ? (plans.data?.data.find(({ key }) => key !== active?.plan)?.key ?? '') : plan
  const id = active?.id ?? ''
  const preview = useQuery({
    queryKey: ['change-preview', id, chosen, at],
    enabled: active !== null && chosen !== '' && chosen !== active.plan,
    queryFn: () => answered(api.POST('/v1/subscriptions/{id}/change-preview', { params: { path: { id } }, body: { plan: chosen, at } })),
  })
  const done = async (text: string) => {
    await Promise.all(['subscriptions', 'balances', 'upcoming'].map((name) => client.invalidateQueries({ queryKey: [name] })))
    say(text)
    onClose()
  }
  const { submit, isBusy, errors, wrong } = useForm(async (idempotencyKey) => {
    const headers = { 'Idempotency-Key': idempotencyKey }
    if (active === null) await answered(api.POST('/v1/subscriptions', { headers, body: { customer, plan: chosen } }))
    else await answered(api.POST('/v1/subscriptions/{id}/change', { params: { path: { id } }, body: { plan: chosen, at } }))
    await done(active === null ? `${customer} is subscribed to ${chosen}.` : `${customer} moves to ${chosen}.`)
  })
  const cancel = useForm(async () => {
    await answered(api.POST('/v1/subscriptions/{id}/cancel', { params: { path: { id } }, body: { at: 'periodEnd' } }))
    await done('The subscription ends with its period.')
  })
  const title = active === null ? 'Subscribe' : 'Change plan'
  return (
    <Drawer
      title={title}
      label={title}
      onClose={onClose}
      foot={
        <>
          {active === null || active.status === 'canceled' ? null : (
            <button type="button" className="button button-danger" disabled={cancel.isBusy} onClick={() => void cancel.submit()}>
              End with the period
            </button>
          )}
          <button type="submit" form="subscribe-form" className="button button-primary" disabled={isBusy || chosen === ''}>
            {title}
          </button>
        </>
      }
    >
      <form id="subscribe-form" className="form" onSubmit={(event) => void submit(event)}>
        <SelectField
          label="Plan"
          value={chosen}
          onChange={setPlan}
          error={errors.plan}
          options={(plans.data?.data ?? []).map(({ key, name, version }) => ({ value: key, label: `${name} v${version}` }))}
        />
        {active === null ? null : (
          <SelectField
            label="From"
            value={at}
            onChange={setAt}
            error={errors.at}
            options={[
              { value: 'now', label: 'now' },
              { value: 'periodEnd', label: 'the end of the period' },
            ]}
          />
        )}
        {wrong}
        {cancel.wrong}
      </form>
      {active === null || chosen === active.plan ? null : (
        <section className="stack">
          <h3>What the change bills</h3>
          <Loaded of={preview} height={120}>
            {({ data }) =>
              data.length === 0 ? (
                <p className="muted">No document.</p>
              ) : (
                <>
                  {data.map((document) => (
                    <PreviewLines key={document.id} document={document} />
                  ))}
                </>
              )
            }
          </Loaded>
        </section>
      )}
    </Drawer>
  )
}

function PreviewLines({ document }: { document: Shape<'Invoice'> }) {
  return (
    <div className="sample list">
      {document.lines.map(({ line, item, kind, net }) => (
        <div key={line} className="row row-wide">
          <span>{item ?? kind}</span>
          <Money of={net} currency={document.currency} isBare />
        </div>
      ))}
      <div className="row row-wide strong">
        <span>Total with tax</span>
        <Money of={document.total} currency={document.currency} />
      </div>
    </div>
  )
}
