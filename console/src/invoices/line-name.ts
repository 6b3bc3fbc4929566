import type { Shape } from '../api/client.ts'

const KINDS: Readonly<Record<string, string>> = {
  base: 'Base fee',
  trueUp: 'Minimum',
  unused: 'Unused time',
  adjustment: 'Adjustment',
  topUp: 'Top-up',
  manual: 'Item',
}

/** What a line bills, as people say it. */
export function lineName({ kind, item, feature }: Shape<'InvoiceLine'>, nameOf: (feature: string) => string): string {
  if (feature !== undefined) return nameOf(feature)
  return kind === 'manual' ? (item ?? 'Item') : (KINDS[kind] ?? kind)
}
