import { toNumber } from '../../../look/figures.ts'
import type { ChargeDraft } from './draft.ts'

const UNITS_DEFAULT = 1_000

/** Up to where a price is worth looking at: a fifth beyond its last bound, else some blocks or packages. */
export function rangeOf({ model, per, packageSize, freeUnits, tiers }: ChargeDraft): number {
  const bounds = model === 'flat' || model === 'package' ? [] : tiers.slice(0, -1).map(({ upTo }) => toNumber(upTo) || 0)
  const last = Math.max(0, ...bounds)
  if (last > 0) return last * 1.2
  if (model === 'package') return (toNumber(packageSize) || UNITS_DEFAULT) * 10 + (toNumber(freeUnits) || 0) * 2
  return (toNumber(per) || 1) * (per === '' ? UNITS_DEFAULT : 100)
}
