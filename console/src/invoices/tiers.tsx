import { moneyText, quantityText } from '../../../look/figures.ts'
import type { Shape } from '../api/client.ts'

/** How a quantity comes to an amount: tier by tier, exact, then rounded once. */
export function Tiers({ line, currency }: { line: Shape<'InvoiceLine'>; currency: string }) {
  const { plan, planVersion, item, tiers = [], exact, amount } = line
  return (
    <section className="stack">
      <h3>Quantity to amount</h3>
      {plan === undefined ? null : (
        <p className="small muted">
          {plan} v{planVersion}
          {item === undefined ? (
            ''
          ) : (
            <>
              , charge <code>{item}</code>
            </>
          )}
        </p>
      )}
      <dl className="pairs">
        {tiers.map(({ tier, quantity, unitAmount, flatAmount, exact: part }) => (
          <Pair
            key={`${tier} ${quantity} ${part}`}
            name={`${quantityText(quantity)}${unitAmount === undefined ? '' : ` × ${quantityText(unitAmount)}`}${flatAmount === undefined ? '' : ` + ${quantityText(flatAmount)}`}`}
            value={quantityText(part)}
          />
        ))}
        {exact === undefined ? null : <Pair name="Exact" value={quantityText(exact)} isStrong />}
        <Pair name="Rounded once, half up" value={moneyText(amount, currency)} />
      </dl>
    </section>
  )
}

function Pair({ name, value, isStrong = false }: { name: string; value: string; isStrong?: boolean }) {
  return (
    <>
      <dt className={isStrong ? 'strong' : undefined}>{name}</dt>
      <dd className={isStrong ? 'strong' : undefined}>{value}</dd>
    </>
  )
}
