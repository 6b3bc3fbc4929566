/** Prices as the contract gives them; every amount, quantity and block is a decimal string. */
export type Price =
  | { readonly model: 'flat'; readonly unitAmount: string; readonly per?: string }
  | {
      readonly model: 'package'
      readonly amount: string
      readonly packageSize: string
      readonly freeUnits?: string
      readonly flatAtZero?: boolean
    }
  | {
      readonly model: 'tiered' | 'volume' | 'stairstep'
      readonly per?: string
      readonly tiers: readonly PriceTier[]
      readonly flatAtZero?: boolean
    }

/** `upTo` is inclusive; the last tier's is null. */
export type PriceTier = { readonly upTo: string | null; readonly unitAmount?: string; readonly flatAmount?: string }
