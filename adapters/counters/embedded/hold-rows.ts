import type { CustomerKey, FeatureKey, InstantMs, Partition, TenantKey } from '../../../domain/identity.ts'
import type { Hold, HoldState } from '../../../domain/reservations/hold.ts'
import type { RowKey, RowValue } from './stored-row.ts'

/**
 * A hold under way has one row, which is loaded at the start. An ended hold has another, which is read when someone asks for its
 * id, and a third that says when to forget it: so remembering a day of holds costs disk and no memory.
 */
export const liveHoldKey = ({ tenant, id }: HoldName): RowKey => ['hold', tenant, id]
export const endedHoldKey = ({ tenant, id }: HoldName): RowKey => ['ended', tenant, id]
export const forgetKey = ({ tenant, id }: HoldName, forgetAtMs: InstantMs): RowKey => ['forget', forgetAtMs, tenant, id]

export type HoldName = { readonly tenant: TenantKey; readonly id: string }
export type ForgetRow = HoldName & { readonly forgetAtMs: InstantMs }

export function readForgetKey([, forgetAtMs, tenant, id]: RowKey): ForgetRow {
  return { forgetAtMs: forgetAtMs as InstantMs, tenant: tenant as TenantKey, id: id as string }
}

/** Quantities are decimal strings, as JSON numbers would lose digits. */
export function encodeHold({ partition, customer, feature, quantity, createdAtMs, expiresAtMs, state }: Hold): RowValue {
  const row = [partition, customer, feature, quantity.toString(), createdAtMs, expiresAtMs, state.kind]
  if (!('settlement' in state)) return row
  const { requestedUnits, settledUnits, occurredAtMs, report, eventsHash } = state.settlement
  const settled = [...row, requestedUnits.toString(), settledUnits.toString(), occurredAtMs, report]
  return eventsHash === null ? settled : [...settled, eventsHash]
}

export function decodeHold({ tenant, id }: HoldName, value: RowValue): Hold {
  const [partition, customer, feature, quantity, createdAtMs, expiresAtMs, kind, ...settlement] = value
  return {
    tenant,
    id,
    partition: partition as Partition,
    customer: customer as CustomerKey,
    feature: feature as FeatureKey,
    quantity: BigInt(quantity as string),
    createdAtMs: createdAtMs as InstantMs,
    expiresAtMs: expiresAtMs as InstantMs,
    state: decodeState(kind as HoldState['kind'], settlement),
  }
}

function decodeState(kind: HoldState['kind'], [requested, settled, occurredAtMs, report, eventsHash = null]: RowValue): HoldState {
  if (kind !== 'settling' && kind !== 'settled') return { kind }
  const settlement = {
    requestedUnits: BigInt(requested as string),
    settledUnits: BigInt(settled as string),
    occurredAtMs: occurredAtMs as InstantMs,
    report: report as string,
    eventsHash: eventsHash as string | null,
  }
  return { kind, settlement }
}
