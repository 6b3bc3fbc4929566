import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Check } from 'lucide-react'
import { answered, api } from '../api/client.ts'
import { every, MOVING_MS } from '../api/live.ts'
import { Card } from '../parts/card.tsx'
import { CopyButton, curlOf } from '../parts/copy-button.tsx'

const EVENT = { id: 'event-1', type: 'llm.request', customer: 'acme', data: { model: 'small', tokens: 1200 } }
const METER = { eventType: 'llm.request', aggregation: 'sum', value: 'tokens', dimensions: { model: 'model' } }
const PLAN = { product: 'assistant', name: 'Pro', currency: 'USD', interval: 'month', baseFee: '20.00' }

/** From nothing to a first invoice in five steps, each of which ticks itself as the server sees it. */
export function Guide({ onDone }: { onDone: () => void }) {
  const steps = useSteps()
  const first = steps.findIndex(({ isDone }) => !isDone)
  return (
    <Card
      title="From nothing to a first invoice"
      hint={first === -1 ? 'all done' : `step ${first + 1} of ${steps.length}`}
      actions={
        <button type="button" className="button button-s" onClick={onDone}>
          Do not show this
        </button>
      }
      isFlush
    >
      <ol className="steps">
        {steps.map(({ title, text, isDone, call, to, action, search }, at) => (
          <li key={title} className={isDone ? 'step step-done' : 'step'}>
            <span className="step-mark">{isDone ? <Check className="icon icon-s" aria-label="done" /> : at + 1}</span>
            <div className="stack">
              <h3>{title}</h3>
              <p className="small muted">{text}</p>
              {at === first ? (
                <>
                  {call === null ? null : (
                    <pre className="pre" tabIndex={0} role="region" aria-label={`Call of step ${at + 1}`}>
                      {call}
                    </pre>
                  )}
                  <div className="row">
                    <Link className="button button-s button-primary" to={to} search={search as never}>
                      {action}
                    </Link>
                    {call === null ? null : <CopyButton text={call} label="Copy the call" />}
                  </div>
                </>
              ) : null}
            </div>
          </li>
        ))}
      </ol>
    </Card>
  )
}

type Step = {
  readonly title: string
  readonly text: string
  readonly isDone: boolean
  readonly call: string | null
  readonly to: string
  readonly action: string
  readonly search: object
}

function useSteps(): readonly Step[] {
  const one = { params: { query: { limit: 1 } } }
  const events = useQuery({ queryKey: ['guide', 'events'], queryFn: () => answered(api.GET('/v1/events', one)), ...every(MOVING_MS) })
  const meters = useQuery({ queryKey: ['guide', 'meters'], queryFn: () => answered(api.GET('/v1/meters', one)), ...every(MOVING_MS) })
  const plans = useQuery({ queryKey: ['guide', 'plans'], queryFn: () => answered(api.GET('/v1/plans', one)), ...every(MOVING_MS) })
  const subscriptions = useQuery({
    queryKey: ['guide', 'subscriptions'],
    queryFn: () => answered(api.GET('/v1/subscriptions', one)),
    ...every(MOVING_MS),
  })
  const has = ({ data }: { readonly data?: { readonly data: readonly unknown[] } | undefined }) => (data?.data.length ?? 0) > 0
  return [
    {
      title: 'A key',
      text: 'You are signed in with one. Programs should have their own, with the scopes that they need.',
      isDone: true,
      call: null,
      to: '/keys',
      action: 'Keys',
      search: {},
    },
    {
      title: 'A first event',
      text: 'What a customer used. It is durable when the answer is there.',
      isDone: has(events),
      call: curlOf('POST', '/v1/events', EVENT),
      to: '/events',
      action: 'Send one from here',
      search: { send: 'on' },
    },
    {
      title: 'A meter',
      text: 'Which events count, and what of them. It counts the events from before it too.',
      isDone: has(meters),
      call: curlOf('PUT', '/v1/meters/tokens', METER),
      to: '/meters',
      action: 'Make one from the event',
      search: { new: 'on', type: EVENT.type },
    },
    {
      title: 'A plan',
      text: 'What it costs and allows. It needs a product, and a feature for what it prices.',
      isDone: has(plans),
      call: `${curlOf('PUT', '/v1/products/assistant', { name: 'Assistant' })}\n\n${curlOf('PUT', '/v1/plans/pro', PLAN)}`,
      to: '/plans',
      action: 'Products and plans',
      search: {},
    },
    {
      title: 'A customer subscribed',
      text: 'From then on there is a next invoice.',
      isDone: has(subscriptions),
      call: curlOf('POST', '/v1/subscriptions', { customer: 'acme', plan: 'pro' }),
      to: '/customers',
      action: 'Customers',
      search: {},
    },
  ]
}
