/** A bigint or string is exact; a number counts as its shortest decimal. */
export type Quantity = string | number | bigint

/** The quantity as it stands in a JSON body. */
export function quantityJson(quantity: Quantity): string | number {
  return typeof quantity === 'bigint' ? String(quantity) : quantity
}
