import type { Brand } from '../base/brand.ts'
import type { InstantMs } from '../base/clock.ts'

export type { InstantMs } from '../base/clock.ts'

export type TenantKey = Brand<string, 'TenantKey'>
export type CustomerKey = Brand<string, 'CustomerKey'>
export type MeterKey = Brand<string, 'MeterKey'>
export type FeatureKey = Brand<string, 'FeatureKey'>
export type ProductKey = Brand<string, 'ProductKey'>
export type PlanKey = Brand<string, 'PlanKey'>
export type SubscriptionId = Brand<string, 'SubscriptionId'>
export type GrantId = Brand<string, 'GrantId'>

/** The place of one record in the event log: records of a partition are numbered from 0; there is no order between partitions. */
export type Partition = Brand<number, 'Partition'>
/** Position of a record in its partition. A *next* offset is exclusive: the first one not yet read. */
export type Offset = Brand<number, 'Offset'>

/** Half-open: `endMs` belongs to the next period. */
export type Period = { readonly startMs: InstantMs; readonly endMs: InstantMs }

/** 9999-12-31T23:59:59.999Z, an instant that no period reaches: the end of a period that never resets. */
export const END_OF_TIME_MS = 253_402_300_799_999 as InstantMs

/** A tenant's key stands in names of metrics, log lines and files: letters, digits, dot, underscore and dash, 1 to 64, a letter or digit first. Null for anything else. */
export function readTenantKey(given: string): TenantKey | null {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(given) ? (given as TenantKey) : null
}
