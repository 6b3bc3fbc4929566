import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import type { FieldError } from '../../domain/refusal.ts'

/** A filter may only name dimensions of its meter, as it would otherwise silently let nothing pass. */
export function filterErrors(filter: DimensionFilter, meter: Meter, field: string): readonly FieldError[] {
  const has = Object.keys(meter.dimensions).join(', ') || 'none'
  return Object.keys(filter)
    .filter((name) => !Object.hasOwn(meter.dimensions, name))
    .map((name) => ({
      field: `${field}.${name}`,
      code: 'unknown_dimension' as const,
      detail: `${field}.${name} is no dimension of meter ${meter.key}, which has ${has}`,
    }))
}
