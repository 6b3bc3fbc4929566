import { moneyText, quantityText, toNumber } from '../../../look/figures.ts'
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
            name={`${quantityText(quantity)}${unitAmount === undefined ? '' : ` × ${quantityText(unitAmount)}${blockText(quantity, unitAmount, flatAmount, part)}`}${flatAmount === undefined ? '' : ` + ${quantityText(flatAmount)}`}`}
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

/** A price may be given per block of units; the document says the amount, from which the block follows. A label alone, so floats do. */
function blockText(quantity: string, unitAmount: string, flatAmount: string | undefined, exact: string): string {
  const block = (toNumber(quantity) * toNumber(unitAmount)) / (toNumber(exact) - toNumber(flatAmount ?? '0'))
  const whole = Math.round(block)
  return Number.isFinite(block) && whole > 1 && Math.abs(block - whole) < whole * 1e-6 ? ` per ${quantityText(whole)}` : ''
}
