import { quantityText } from '../../../look/figures.ts'
import type { Shape } from '../api/client.ts'
import { Card } from '../parts/card.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { Money } from '../parts/quantity.tsx'
import { useFeatureNames } from './use-feature-names.ts'
import { useUpcoming } from './use-upcoming.ts'

/** What the period under way comes to by now, before discounts and tax. */
export function NextInvoiceCard({ subscription }: { subscription: Shape<'Subscription'> | null }) {
  const nameOf = useFeatureNames()
  const invoice = useUpcoming(subscription)
  if (subscription === null) return null
  const end = subscription.currentPeriod.end
  return (
    <Card title="Next invoice" hint={end === null ? undefined : <Instant at={end} shape="dayAndTime" />} isFlush>
      <Loaded of={invoice} height={260}>
        {({ lines, total, currency }) => (
          <div className="list">
            {lines.map(({ kind, charge, feature, quantity, amount }) => (
              <div key={`${kind} ${charge}`} className="row row-wide">
                <div>
                  <div>
                    {kind === 'base'
                      ? `Base fee, ${subscription.plan} v${subscription.planVersion}`
                      : feature === undefined
                        ? kind
                        : nameOf(feature)}
                  </div>
                  <div className="xs muted num">{kind === 'usage' ? `${charge}: ${quantityText(quantity)} so far` : null}</div>
                </div>
                <Money of={amount} currency={currency} isBare />
              </div>
            ))}
            <div className="row row-wide sum">
              <span>So far, before discount and tax</span>
              <b>
                <Money of={total} currency={currency} />
              </b>
            </div>
          </div>
        )}
      </Loaded>
    </Card>
  )
}
