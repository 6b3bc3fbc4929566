import { CATALOG_BOUNDS } from './catalog-bounds.ts'

/**
 * Prices as the contract gives them. Amounts are decimal strings in the currency's major unit, quantities decimal
 * strings in the feature's unit. `per` is the block that a unit amount buys: '2.50' per '1000000' tokens; default '1'.
 */
export type Price =
  | { readonly model: 'flat'; readonly unitAmount: string; readonly per?: string }
  | {
      readonly model: 'package'
      /** Price of one package; a package begun is due in full. */
      readonly amount: string
      readonly packageSize: string
      readonly freeUnits?: string
      /** At least one package is due, whatever the usage. */
      readonly flatAtZero?: boolean
    }
  | {
      readonly model: 'tiered' | 'volume' | 'stairstep'
      readonly per?: string
      readonly tiers: readonly PriceTier[]
      /** The first tier's flat amount is due at zero usage too. */
      readonly flatAtZero?: boolean
    }

/** `upTo` is inclusive, ascending, and null for the last tier. An absent amount is zero. */
export type PriceTier = { readonly upTo: string | null; readonly unitAmount?: string; readonly flatAmount?: string }

/** Prices of a subscription's own, by the key of the charge: they stand in place of the plan's. */
export type PriceOverrides = Readonly<Record<string, Price>>

/** Whether both price the same charges the same. */
export function isSamePrices(a: PriceOverrides = {}, b: PriceOverrides = {}): boolean {
  const [charges, others] = [Object.entries(a), new Map(Object.entries(b))]
  return charges.length === others.size && charges.every(([charge, price]) => inOrder(price) === inOrder(others.get(charge)))
}

/** The database does not keep the order of fields. */
function inOrder(price: Price | undefined): string | undefined {
  return JSON.stringify(price, PRICE_FIELDS)
}

const PRICE_FIELDS = [
  ...['model', 'unitAmount', 'per', 'amount', 'packageSize', 'freeUnits', 'flatAtZero'],
  ...['tiers', 'upTo', 'flatAmount'],
]

export const PRICE_MODELS = ['flat', 'package', 'tiered', 'volume', 'stairstep'] as const satisfies readonly Price['model'][]
export const PRICE_TIERS_MAX = CATALOG_BOUNDS.tiers.most
