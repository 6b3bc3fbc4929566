import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Layers, Plus } from 'lucide-react'
import { moneyText, quantityText } from '../../../look/figures.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { useFeatureNames } from '../customers/use-feature-names.ts'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { Empty } from '../parts/empty.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { useMay } from '../shell/session.ts'
import { priceText } from './price-text.ts'

type Plan = Shape<'Plan'>

/** What do we sell, at what price? One group of cards a product. */
export function Plans() {
  const mayAdmin = useMay('admin')
  const plans = useQuery({
    queryKey: ['plans'],
    queryFn: () => answered(api.GET('/v1/plans', { params: { query: { limit: 1000 } } })),
    ...every(LIST_MS),
  })
  const products = useQuery({
    queryKey: ['products'],
    queryFn: () => answered(api.GET('/v1/products', { params: { query: { limit: 1000 } } })),
    ...every(LIST_MS),
  })
  const nameOf = (product: string) => products.data?.data.find(({ key }) => key === product)?.name ?? product
  return (
    <>
      <PageHead title="Products and plans" sub="A change of a plan makes a new version; subscriptions keep theirs until they are moved.">
        <CopyCurl path="/v1/plans" />
        {mayAdmin ? (
          <Link to="/plans/$key" params={{ key: 'new' } as never} className="button button-primary">
            <Plus className="icon" aria-hidden /> New plan
          </Link>
        ) : null}
      </PageHead>
      <Loaded of={plans} height={320}>
        {({ data }) =>
          data.length === 0 ? (
            <Card>
              <Empty icon={Layers} title="Nothing is sold yet">
                <p>A plan has a base fee, charges for usage, and says what it allows.</p>
              </Empty>
            </Card>
          ) : (
            <>
              {[...Map.groupBy(data, ({ product }) => product)].map(([product, list]) => (
                <section key={product} className="stack" aria-label={nameOf(product)}>
                  <h2>{nameOf(product)}</h2>
                  <div className="plan-cards">
                    {list.map((plan) => (
                      <PlanCard key={plan.key} plan={plan} />
                    ))}
                  </div>
                </section>
              ))}
            </>
          )
        }
      </Loaded>
    </>
  )
}

const CHARGES_SHOWN = 4

function PlanCard({ plan }: { plan: Plan }) {
  const nameOf = useFeatureNames()
  const { key, name, version, currency, interval, baseFee, charges, entitlements } = plan
  return (
    <Link to="/plans/$key" params={{ key } as never} className="card plan-card">
      <div className="row row-wide">
        <h3>{name}</h3>
        <Badge tone="line">version {version}</Badge>
      </div>
      <div>
        <span className="big">{moneyText(baseFee ?? '0', currency)}</span>{' '}
        <span className="muted">
          {currency} {interval === 'once' ? 'once' : `a ${interval}`}
        </span>
      </div>
      <ul className="small muted stack">
        {charges.slice(0, CHARGES_SHOWN).map((charge) => (
          <li key={charge.key}>
            {nameOf(charge.feature)}: {priceText(charge.price)}
          </li>
        ))}
        {charges.length > CHARGES_SHOWN ? <li>{charges.length - CHARGES_SHOWN} more charges</li> : null}
      </ul>
      <div className="row wrap">
        {entitlements.map(({ feature, limit, value }) => (
          <Badge key={feature}>
            {nameOf(feature)}
            {value !== undefined && value !== true ? ` ${JSON.stringify(value)}` : limit == null ? '' : ` ${quantityText(limit)}`}
          </Badge>
        ))}
      </div>
    </Link>
  )
}
