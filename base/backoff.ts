/** How long to wait before the next try: `firstMs` after the first failure, then twice as long each time, up to `mostMs`. */
export type Backoff = { readonly firstMs: number; readonly mostMs: number }

/** Milliseconds to wait after this many failures in a row, counted from 1. */
export function backoffMs({ firstMs, mostMs }: Backoff, failures: number): number {
  return Math.min(mostMs, firstMs * 2 ** (failures - 1))
}
