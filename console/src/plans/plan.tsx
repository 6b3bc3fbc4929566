import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import { GitCompare } from 'lucide-react'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { Badge } from '../parts/badge.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { useForm } from '../parts/form.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { say } from '../parts/toasts.tsx'
import { useMay } from '../shell/session.ts'
import { BasicsCard } from './basics-card.tsx'
import { ChargesCard } from './charges-card.tsx'
import { CostsCard } from './costs-card.tsx'
import { CurveCard } from './curve-card.tsx'
import { DiffDrawer } from './diff-drawer.tsx'
import { draftOf, inputOf, newPlan, type PlanDraft } from './draft.ts'
import { EntitlementsCard } from './entitlements-card.tsx'

/** The builder of a plan, with what it costs beside it. */
export function Plan() {
  const { key } = useParams({ strict: false }) as { key: string }
  const isNew = key === 'new'
  const plan = useQuery({
    queryKey: ['plan', key],
    enabled: !isNew,
    queryFn: () => answered(api.GET('/v1/plans/{key}', { params: { path: { key } } })),
  })
  const products = useQuery({
    queryKey: ['products'],
    queryFn: () => answered(api.GET('/v1/products', { params: { query: { limit: 1000 } } })),
  })
  if (isNew) return <Loaded of={products}>{({ data }) => <Builder key="new" sold={null} first={newPlan(data[0]?.key ?? '')} />}</Loaded>
  return (
    <Loaded of={plan} height={520}>
      {(data) => <Builder key={`${data.key} ${data.version}`} sold={data} first={draftOf(data)} />}
    </Loaded>
  )
}

function Builder({ sold, first }: { sold: Shape<'Plan'> | null; first: PlanDraft }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const mayAdmin = useMay('admin')
  const [draft, setDraft] = useState(first)
  const [openId, setOpenId] = useState<number | null>(first.charges[0]?.id ?? null)
  const [isComparing, setComparing] = useState(false)
  const isChanged = JSON.stringify(inputOf(draft)) !== JSON.stringify(inputOf(first))
  const next = (sold?.version ?? 0) + 1
  const { submit, isBusy, errors, wrong } = useForm(async () => {
    const saved = await answered(api.PUT('/v1/plans/{key}', { params: { path: { key: draft.key } }, body: inputOf(draft) }))
    await Promise.all(['plan', 'plans'].map((name) => client.invalidateQueries({ queryKey: [name] })))
    say(`${saved.name} is sold in version ${saved.version}.`)
    if (sold === null) void navigate({ to: '/plans/$key', params: { key: saved.key } as never })
  })
  const open = draft.charges.find(({ id }) => id === openId) ?? draft.charges[0] ?? null
  const why = mayAdmin ? undefined : 'Needs scope admin'
  return (
    <>
      <PageHead
        title={draft.name === '' ? 'New plan' : draft.name}
        badges={
          isChanged || sold === null ? (
            <Badge tone="warn" hasDot>
              version {next}, not published
            </Badge>
          ) : (
            <Badge tone="ok" hasDot>
              version {sold.version} is sold
            </Badge>
          )
        }
        sub={
          sold === null ? (
            'Nothing is sold until you publish.'
          ) : (
            <>
              <code>{sold.key}</code> · product {sold.product} · subscriptions keep their version until they are moved
            </>
          )
        }
      >
        <CopyCurl method="PUT" path={`/v1/plans/${encodeURIComponent(draft.key || '<key>')}`} body={inputOf(draft)} />
        {isChanged ? (
          <button type="button" className="button button-quiet" onClick={() => setDraft(first)}>
            Discard
          </button>
        ) : null}
        {sold === null ? null : (
          <button type="button" className="button" onClick={() => setComparing(true)}>
            <GitCompare className="icon" aria-hidden /> Compare
          </button>
        )}
        <button
          type="button"
          className="button button-primary"
          disabled={!mayAdmin || isBusy || !(isChanged || sold === null)}
          title={why}
          onClick={() => void submit()}
        >
          Publish version {next}
        </button>
      </PageHead>
      {wrong}
      <div className="cols c-plan">
        <div className="cols">
          <BasicsCard draft={draft} sold={sold} errors={errors} onChange={setDraft} />
          <ChargesCard draft={draft} sold={sold} errors={errors} openId={open?.id ?? null} onOpen={setOpenId} onChange={setDraft} />
          <EntitlementsCard draft={draft} sold={sold} errors={errors} onChange={setDraft} />
        </div>
        <div className="cols">
          {open === null ? null : (
            <>
              <CostsCard charge={open} sold={sold} currency={draft.currency} />
              <CurveCard charge={open} sold={sold} currency={draft.currency} />
            </>
          )}
        </div>
      </div>
      {isComparing && sold !== null ? <DiffDrawer sold={sold} draft={inputOf(draft)} onClose={() => setComparing(false)} /> : null}
    </>
  )
}
