import { quantityText } from '../../../look/figures.ts'
import type { Shape } from '../api/client.ts'

export type Price = Shape<'Plan'>['charges'][number]['price']

/** A price in a few words. */
export function priceText(price: Price): string {
  const per = 'per' in price && price.per !== undefined && price.per !== '1' ? ` per ${quantityText(price.per)}` : ' each'
  switch (price.model) {
    case 'flat':
      return `${quantityText(price.unitAmount)}${per}`
    case 'package':
      return `${quantityText(price.amount)} per ${quantityText(price.packageSize)}${price.freeUnits === undefined ? '' : `, ${quantityText(price.freeUnits)} free`}`
    case 'tiered':
    case 'volume':
    case 'stairstep':
      return `${price.tiers.length} tiers${per === ' each' ? '' : per}`
  }
}
