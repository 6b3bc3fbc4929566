/**
 * One step of the calculation: quantity x unitAmount / per + flatAmount = exact, all decimal strings. `tier` counts from
 * 1; under a package price the quantity is packages. `exact` has every digit when the decimal ends, else 30 fractional
 * digits rounded half up.
 */
export type RatedLine = {
  readonly tier?: number
  readonly quantity: string
  readonly unitAmount?: string
  readonly flatAmount?: string
  readonly exact: string
}
