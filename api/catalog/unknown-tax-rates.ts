import type { TaxRateStore } from '../../adapters/database/tax-rates/tax-rate-store.ts'
import type { TenantKey } from '../../domain/identity.ts'
import { type Refusal, refuse } from '../../domain/refusal.ts'

/** The keys that no tax rate has, each with its field: a rate that is not there would tax nothing, and nobody would see it. */
export async function unknownTaxRates(
  taxRates: Pick<TaxRateStore, 'get'>,
  tenant: TenantKey,
  keys: readonly string[],
  field: string,
): Promise<readonly { readonly field: string; readonly refusal: Refusal }[]> {
  const found = await Promise.all(keys.map((key) => taxRates.get(tenant, key)))
  return keys.flatMap((taxRate, index) =>
    found[index] === null ? [{ field: `${field}[${index}]`, refusal: refuse('unknown_tax_rate', { taxRate }) }] : [],
  )
}
