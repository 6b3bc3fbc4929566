import { ChevronDown, ChevronRight, Plus } from 'lucide-react'
import { useFeatureNames, useFeatures } from '../customers/use-feature-names.ts'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import type { BuilderProps } from './basics-card.tsx'
import { ChargeForm } from './charge-form.tsx'
import { diffOf } from './diff.ts'
import { type ChargeDraft, newCharge, priceOf } from './draft.ts'
import { type Price, priceText } from './price-text.ts'

type ChargesCardProps = BuilderProps & { readonly openId: number | null; readonly onOpen: (id: number | null) => void }

/** What usage costs; one charge is open at a time, and the cards at the right show that one. */
export function ChargesCard({ draft, sold, errors, openId, onOpen, onChange }: ChargesCardProps) {
  const nameOf = useFeatureNames()
  const { data: features } = useFeatures()
  const metered = (features?.data ?? []).filter(({ type }) => type === 'metered')
  const put = (charge: ChargeDraft) => onChange({ ...draft, charges: draft.charges.map((each) => (each.id === charge.id ? charge : each)) })
  const add = () => {
    const charge = newCharge(metered[0]?.key ?? '')
    onChange({ ...draft, charges: [...draft.charges, charge] })
    onOpen(charge.id)
  }
  return (
    <Card
      title="Charges"
      hint="what usage costs"
      actions={
        <button type="button" className="button button-s" disabled={metered.length === 0} onClick={add}>
          <Plus className="icon icon-s" aria-hidden /> Add charge
        </button>
      }
      isFlush
    >
      {draft.charges.map((charge, at) => {
        const isOpen = charge.id === openId
        const before = sold?.charges.find(({ key }) => key === charge.key)
        const isChanged = before === undefined || diffOf(before.price, priceOf(charge)).length > 0
        const Icon = isOpen ? ChevronDown : ChevronRight
        return (
          <section key={charge.id} className={isOpen ? 'charge charge-open' : 'charge'} aria-label={`Charge ${charge.key}`}>
            <button type="button" className="charge-head" aria-expanded={isOpen} onClick={() => onOpen(isOpen ? null : charge.id)}>
              <b>{nameOf(charge.feature)}</b> <code className="xs muted">{charge.key}</code>
              {isChanged && sold !== null ? <Badge tone="warn">{before === undefined ? 'new' : 'changed'}</Badge> : null}
              <span className="end muted small">{isOpen ? '' : priceText(priceOf(charge) as Price)}</span>
              {isOpen ? null : <Badge>{charge.model}</Badge>}
              <Icon className="icon icon-s" aria-hidden />
            </button>
            {isOpen ? (
              <ChargeForm
                charge={charge}
                before={before}
                at={at}
                errors={errors}
                onChange={put}
                onRemove={() => onChange({ ...draft, charges: draft.charges.filter(({ id }) => id !== charge.id) })}
              />
            ) : null}
          </section>
        )
      })}
      {draft.charges.length === 0 ? (
        <p className="pad muted">
          {metered.length === 0 ? 'A charge prices a metered feature; make one first.' : 'No charge: the base fee is all.'}
        </p>
      ) : null}
    </Card>
  )
}
