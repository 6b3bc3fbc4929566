import type { InstantMs } from '../../../domain/identity.ts'
import type { Hold, HoldState } from '../../../domain/reservations/hold.ts'
import { COUNTER_BOUNDS, HOLDS_OF_TENANT_MIN } from '../counter-bounds.ts'
import type { Cap, Counters, CustomerRef, HoldOutcome, HoldRequest, SettleRequest } from '../counters.ts'
import type { CounterTable } from './counter-table.ts'
import type { CounterWriter } from './counter-writer.ts'
import { type LiveCounter, usedUnitsIn } from './live-counter.ts'

/** The most holds under way: of all tenants, of one tenant, and how many one tenant may always have, whatever the others hold. */
export type HoldBounds = { readonly all: number; readonly ofTenant: number; readonly ofTenantMin: number }

const HOLD_BOUNDS: HoldBounds = {
  all: COUNTER_BOUNDS.holds.most,
  ofTenant: COUNTER_BOUNDS.holdsOfTenant.most,
  ofTenantMin: HOLDS_OF_TENANT_MIN,
}

export type HoldOperations = Pick<Counters, 'reserve' | 'hold' | 'settleHold' | 'releaseHold' | 'extendHold' | 'settlingHolds'>

const HOLDS_PER_PAGE = 500

/**
 * Holds of the embedded counters. A decision and its changes are one step without a wait; the answer waits until that step is on
 * disk, and calls that arrive together share one write.
 */
export function createEmbeddedHolds(table: CounterTable, writer: CounterWriter, bounds: HoldBounds = HOLD_BOUNDS): HoldOperations {
  const { holds } = table

  function comeTo(nowMs: InstantMs): void {
    writer.assertOpen()
    if (holds.expire(nowMs) > 0) writer.schedule()
  }

  /** Null when there is no such hold of this customer. */
  function find(customer: CustomerRef, id: string, nowMs: InstantMs): Hold | null {
    comeTo(nowMs)
    const hold = holds.find({ tenant: customer.tenant, id })
    return hold === undefined || hold.customer !== customer.customer ? null : hold
  }

  async function change(hold: Hold, nowMs: InstantMs): Promise<HoldOutcome> {
    holds.set(hold, nowMs)
    await writer.flush()
    return { status: 'done', hold }
  }

  async function unchanged(hold: Hold): Promise<HoldOutcome> {
    if (holds.isUnwritten(hold)) await writer.flush()
    return { status: 'done', hold }
  }

  return {
    async reserve(customer, { cap, settles, ...request }, nowMs) {
      comeTo(nowMs)
      const known = holds.find({ tenant: customer.tenant, id: request.id })
      if (known !== undefined) {
        if (holds.isUnwritten(known)) await writer.flush()
        return { status: 'exists', hold: known }
      }
      const counter = table.of(customer)?.get(request.feature)
      if (!isAsExpected(counter, cap)) return { status: 'untracked' }
      const usedUnits = usedUnitsIn(counter.periods.get(cap.periodStartMs))
      const heldUnits = holds.heldUnits(customer, request.feature, firstStartMs(cap))
      const { tenant, partition, customer: key } = customer
      const freeUnits = cap.hardLimit === null ? request.quantity : cap.hardLimit - usedUnits - heldUnits
      const takesPart = settles?.takes === 'what_fits' && freeUnits > 0n && freeUnits < request.quantity
      const takenUnits = takesPart ? freeUnits : request.quantity
      const state = firstState(request.quantity, takenUnits, settles, nowMs)
      const hold: Hold = { ...request, tenant, partition, customer: key, createdAtMs: nowMs, state }
      if (takenUnits > freeUnits) return { status: 'refused', hold, usedUnits, heldUnits }
      const ofTenant = holds.liveCountOf(tenant)
      if (ofTenant >= bounds.ofTenant) return { status: 'too_many', of: 'tenant', holdsMax: bounds.ofTenant }
      if (holds.liveCount >= bounds.all && ofTenant >= bounds.ofTenantMin)
        return { status: 'too_many', of: 'process', holdsMax: bounds.all }
      holds.set(hold, nowMs)
      await writer.flush()
      return { status: 'held', hold, usedUnits, heldUnits: heldUnits + takenUnits }
    },
    async hold(tenant, id, nowMs) {
      comeTo(nowMs)
      const hold = holds.find({ tenant, id })
      if (hold !== undefined && holds.isUnwritten(hold)) await writer.flush()
      return hold ?? null
    },
    async settleHold(customer, id, request, nowMs) {
      const hold = find(customer, id, nowMs)
      if (hold === null) return { status: 'unknown' }
      if (hold.state.kind !== 'held' && hold.state.kind !== 'expired') return unchanged(hold)
      const settledUnits = settledUnitsOf(table, hold, request)
      if (settledUnits === null) return { status: 'untracked' }
      return change({ ...hold, state: stateAfter(request, settledUnits) }, nowMs)
    },
    async releaseHold(customer, id, nowMs) {
      const hold = find(customer, id, nowMs)
      if (hold === null) return { status: 'unknown' }
      if (hold.state.kind !== 'held' && hold.state.kind !== 'expired') return unchanged(hold)
      return change({ ...hold, state: { kind: 'released' } }, nowMs)
    },
    async extendHold(customer, id, expiresAtMs, nowMs) {
      const hold = find(customer, id, nowMs)
      if (hold === null) return { status: 'unknown' }
      if (hold.state.kind !== 'held' || expiresAtMs <= hold.expiresAtMs) return unchanged(hold)
      return change({ ...hold, expiresAtMs }, nowMs)
    },
    async *settlingHolds(partition) {
      const settling = holds.settling(partition)
      for (let from = 0; from < settling.length; from += HOLDS_PER_PAGE) yield settling.slice(from, from + HOLDS_PER_PAGE)
    },
  }
}

function isAsExpected(counter: LiveCounter | undefined, cap: Cap): counter is LiveCounter {
  if (counter === undefined || counter.definition !== cap.definition || counter.trackedFromMs > firstStartMs(cap)) return false
  return (cap.earlier ?? []).every(({ periodStartMs, usedUnits }) => usedUnitsIn(counter.periods.get(periodStartMs)) === usedUnits)
}

/** Units that settle into any period that the limit depends on are about to change it. */
function firstStartMs({ earlier, periodStartMs }: Cap): InstantMs {
  return earlier?.[0]?.periodStartMs ?? periodStartMs
}

/** The held quantity is settled whatever happened since, as nobody else could have it; more only as `beyond` allows. Null: not tracked. */
function settledUnitsOf(table: CounterTable, hold: Hold, { quantity, beyond }: SettleRequest): bigint | null {
  const ownUnits = hold.state.kind === 'held' ? hold.quantity : 0n
  if (quantity <= ownUnits || beyond === 'any') return quantity
  if (beyond === 'none') return ownUnits
  const counter = table.of(hold)?.get(hold.feature)
  if (!isAsExpected(counter, beyond)) return null
  if (beyond.hardLimit === null) return quantity
  const othersUnits = table.holds.heldUnits(hold, hold.feature, firstStartMs(beyond)) - ownUnits
  const leftUnits = beyond.hardLimit - usedUnitsIn(counter.periods.get(beyond.periodStartMs)) - othersUnits
  const most = leftUnits > ownUnits ? leftUnits : ownUnits
  return quantity < most ? quantity : most
}

function firstState(quantity: bigint, takenUnits: bigint, settles: HoldRequest['settles'], nowMs: InstantMs): HoldState {
  if (settles === undefined) return { kind: 'held' }
  return stateAfter({ quantity, occurredAtMs: nowMs, eventsHash: null, report: settles.report }, takenUnits)
}

/** A settled quantity of 0 has no usage event to wait for, unless events were settled. */
function stateAfter({ quantity, occurredAtMs, report, eventsHash }: Omit<SettleRequest, 'beyond'>, settledUnits: bigint): HoldState {
  const settlement = { requestedUnits: quantity, settledUnits, occurredAtMs, eventsHash }
  return settledUnits === 0n && eventsHash === null
    ? { kind: 'settled', settlement: { ...settlement, report: '' } }
    : { kind: 'settling', settlement: { ...settlement, report } }
}
