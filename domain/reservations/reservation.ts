import { invariant, unreachable } from '../../base/invariant.ts'
import { formatQuantity, parseQuantity } from '../decimal.ts'
import type { EffectiveEntitlement, MeteredEntitlement } from '../entitlements/entitlements.ts'
import type { CustomerKey, FeatureKey, InstantMs } from '../identity.ts'
import type { DimensionFilter } from '../metering/dimension-filter.ts'
import { findJsonDefect, holdsLoneSurrogate } from '../metering/json-defect.ts'
import { isAdditive, type Meter } from '../metering/meter.ts'
import { EVENT_SOURCE_DEFAULT, type UsageEvent } from '../metering/usage-event.ts'
import {
  dimensionsWithin,
  SETTLEMENT_TYPE,
  type SettlementNotice,
  USAGE_REPORT_SOURCE,
  USAGE_REPORT_TYPE,
  type UsageReport,
} from '../metering/usage-report.ts'
import { isRefusal, type Outcome, type Refusal, refuse, refuseField } from '../refusal.ts'
import type { Hold, Settlement } from './hold.ts'
import { RESERVATION_BOUNDS } from './reservation-bounds.ts'
import type { SettledEvent } from './settled-events.ts'

/** What a caller asks to have held. */
export type ReservationRequest = {
  readonly customer: CustomerKey
  readonly feature: FeatureKey
  readonly quantity: bigint
  readonly ttlMs: number
  /** Settles in the same step: the quantity is used, with these properties. */
  readonly settles: { readonly properties: object | null } | null
}

/** A usage report that takes as much of its quantity as is left under the limit. It is kept as a hold that begins settled. */
export type LimitedReport = {
  readonly customer: CustomerKey
  readonly feature: FeatureKey
  readonly quantity: bigint
  /** The report's own, as any usage report's. */
  readonly id: string
  readonly properties: object | null
}

/** No reservation of a caller can have this id, as `~` is in no key. */
export function limitedReportHoldId(id: string): string {
  return `~usage:${id}`
}

export const RESERVATION_TTL_MS_MIN = 1_000
export const RESERVATION_TTL_MS_MAX = RESERVATION_BOUNDS.time.most
export const RESERVATION_TTL_MS_DEFAULT = 60_000
/** Bound on the caller's own data in a settlement, as JSON: it stays in memory until the usage is counted. */
export const SETTLE_DATA_BYTES_MAX = RESERVATION_BOUNDS.data.most

export function parseReservedQuantity(quantity: string | number): Outcome<bigint> {
  const units = parseQuantity(quantity)
  return units !== null && units > 0n ? units : wrongQuantity('above 0', quantity)
}

/** The settled quantity in nano units; 0 is allowed, as nothing may have been used. */
export function parseSettledQuantity(quantity: string | number): Outcome<bigint> {
  const units = parseQuantity(quantity)
  return units !== null && units >= 0n ? units : wrongQuantity('from 0', quantity)
}

export function parseTtlMs(ttlMs: number): Outcome<number> {
  if (Number.isInteger(ttlMs) && ttlMs >= RESERVATION_TTL_MS_MIN && ttlMs <= RESERVATION_TTL_MS_MAX) return ttlMs
  return refuseField('ttlMs', refuse('invalid_ttl', { ttlMs, ttlMsMin: RESERVATION_TTL_MS_MIN, ttlMsMax: RESERVATION_TTL_MS_MAX }))
}

/** The caller's own data for the usage event: JSON that can be stored, within the bound. */
export function parseSettleData(data: object): Outcome<object> {
  const defect = findJsonDefect(data, 'data')
  if (defect !== undefined) return refuseField('data', defect)
  const json = JSON.stringify(data)
  if (!holdsLoneSurrogate(json) && new TextEncoder().encode(json).byteLength <= SETTLE_DATA_BYTES_MAX) return data
  return refuseField('data', refuse('invalid_data', { bytesMax: SETTLE_DATA_BYTES_MAX }))
}

/** Only additive meters can be reserved, as parts of their usage add up. */
export function reservable(feature: FeatureKey, entitlement: EffectiveEntitlement): Outcome<MeteredEntitlement> {
  if (entitlement.type !== 'metered') return refuse('feature_not_metered', { feature, wanted: 'hold' })
  const { aggregation } = entitlement.tracked.meter
  return isAdditive(aggregation) ? entitlement : refuse('feature_not_additive', { feature, aggregation, wanted: 'hold' })
}

export function hardLimitReached(
  hold: Pick<Hold, 'feature' | 'quantity'>,
  limit: bigint,
  spent: { readonly usedUnits: bigint; readonly heldUnits: bigint; readonly resetsAtMs: InstantMs },
): Refusal {
  return refuse('hard_limit_reached', { feature: hold.feature, askedUnits: hold.quantity, limitUnits: limit, ...spent })
}

/**
 * The answer to a repeat of a reservation under its own id: the hold as it stands, or a refusal when the id is another
 * reservation's or can no longer be used.
 */
export function repeatedReservation(hold: Hold, request: ReservationRequest): Outcome<Hold> {
  if (hold.customer !== request.customer || hold.feature !== request.feature || hold.quantity !== request.quantity) {
    return refuse('reservation_id_reused', { reservation: hold.id })
  }
  switch (hold.state.kind) {
    case 'expired':
      return expired(hold)
    case 'released':
      return alreadyReleased(hold)
    case 'held':
      // The caller of the repeat goes by it that its usage counts.
      return request.settles === null ? hold : refuse('reservation_id_reused', { reservation: hold.id })
    case 'settling':
    case 'settled':
      return hold
    default:
      return unreachable(hold.state)
  }
}

/** The answer to a repeat of a limited report: the hold that the first one made, or a refusal when that reported something else. */
export function repeatedReport(hold: Hold, { id, customer, feature, quantity }: LimitedReport): Outcome<Hold> {
  const isSame = hold.customer === customer && hold.feature === feature && hold.quantity === quantity
  return isSame ? hold : refuse('report_id_reused', { report: id })
}

/** The answer to a settle that left the hold in this state: the first settlement stands, and repeats get the same answer. */
export function settledReservation(hold: Hold, asked: { readonly quantity: bigint; readonly eventsHash: string | null }): Outcome<Hold> {
  if (!('settlement' in hold.state)) {
    invariant(hold.state.kind === 'released', 'a settle leaves a hold settled, unless it was released')
    return alreadyReleased(hold)
  }
  const { requestedUnits, eventsHash } = hold.state.settlement
  // What the same events come to changes with the meter.
  const isSame = eventsHash === asked.eventsHash && (eventsHash !== null || requestedUnits === asked.quantity)
  return isSame ? hold : alreadySettled(hold)
}

export function releasedReservation(hold: Hold): Outcome<Hold> {
  if ('settlement' in hold.state) return alreadySettled(hold)
  return hold
}

export function extendedReservation(hold: Hold): Outcome<Hold> {
  switch (hold.state.kind) {
    case 'held':
      return hold
    case 'expired':
      return expired(hold)
    case 'released':
      return alreadyReleased(hold)
    case 'settling':
    case 'settled':
      return alreadySettled(hold)
    default:
      return unreachable(hold.state)
  }
}

/** Event time of the settled usage: never before the reservation, as its units were kept back from then on, and not later than now. */
export function settledAtMs(hold: Hold, givenMs: InstantMs | null, nowMs: InstantMs): InstantMs {
  if (givenMs === null || givenMs > nowMs) return nowMs
  return givenMs < hold.createdAtMs ? hold.createdAtMs : givenMs
}

/**
 * The part of a quantity's usage event that is known before the settled quantity is decided. Kept with the hold, as text. Without
 * an id the event has one that the hold's own says.
 */
export function settleReport(
  feature: FeatureKey,
  meter: Meter,
  filter: DimensionFilter,
  properties: object | null,
  eventId?: string,
): Outcome<string> {
  const dimensions = dimensionsWithin(filter, meter, properties)
  if (isRefusal(dimensions)) return dimensions
  const report: QuantityReport = {
    ...{ feature, meter: meter.key, dimensions },
    ...(properties === null ? {} : { properties }),
    ...(eventId === undefined ? {} : { eventId }),
  }
  return JSON.stringify(report)
}

/** The events of a settlement, their times settled; kept with the hold, as text. */
export function eventsReport(hold: Hold, events: readonly SettledEvent[], nowMs: InstantMs): { report: string; occurredAtMs: InstantMs } {
  const placed = events.map((event) => ({ ...event, occurredAtMs: settledAtMs(hold, event.occurredAtMs, nowMs) }))
  const report: EventsReport = { events: placed }
  // The latest: until they are counted all of them are held, in the period of this instant and in those before.
  return { report: JSON.stringify(report), occurredAtMs: Math.max(...placed.map(({ occurredAtMs }) => occurredAtMs)) as InstantMs }
}

/**
 * The usage events of a hold that is settling: always the same ones, so that they count once however often they are appended. They
 * are to stand in one record of the log: the hold ends with the last of them, in the step that counts all.
 */
export function settledUsageEvents(hold: Hold): readonly UsageEvent[] {
  invariant(hold.state.kind === 'settling', 'only a settling hold has usage to report')
  const { settlement } = hold.state
  const report = JSON.parse(settlement.report) as QuantityReport | EventsReport
  return 'events' in report ? eventsOf(hold, settlement, report) : [quantityEvent(hold, settlement, report)]
}

type QuantityReport = Pick<UsageReport, 'feature' | 'meter' | 'dimensions' | 'properties' | 'data'> & { readonly eventId?: string }
type EventsReport = { readonly events: readonly (SettledEvent & { readonly occurredAtMs: InstantMs })[] }

function quantityEvent(hold: Hold, { settledUnits, occurredAtMs }: Settlement, { eventId, ...report }: QuantityReport): UsageEvent {
  const own = ownEvent(hold, occurredAtMs, '')
  const data: UsageReport = { ...report, quantity: formatQuantity(settledUnits), behaviour: 'delta', reservation: hold.id }
  return { ...own, id: eventId ?? own.id, type: USAGE_REPORT_TYPE, data: JSON.stringify(data) }
}

function eventsOf(hold: Hold, { occurredAtMs }: Settlement, { events }: EventsReport): readonly UsageEvent[] {
  const used = events.map((event, index): UsageEvent => {
    const own = ownEvent(hold, event.occurredAtMs, `:${index}`)
    // Under an id of the caller it is the same event as one that is sent by itself.
    const name = event.id === null ? { id: own.id, source: own.source } : { id: event.id, source: EVENT_SOURCE_DEFAULT }
    return { ...own, ...name, type: event.type, data: JSON.stringify(event.data) }
  })
  const notice: SettlementNotice = { reservation: hold.id, feature: hold.feature, events: events.length }
  return [...used, { ...ownEvent(hold, occurredAtMs, ''), type: SETTLEMENT_TYPE, data: JSON.stringify(notice) }]
}

function ownEvent(hold: Hold, occurredAtMs: InstantMs, suffix: string): Omit<UsageEvent, 'type' | 'data'> {
  return {
    // An id may be used again once its hold is forgotten, which is long before the log forgets the event.
    id: `reservation:${hold.id}:${hold.createdAtMs}${suffix}`,
    source: USAGE_REPORT_SOURCE,
    customer: hold.customer,
    subject: null,
    occurredAtMs,
    attributes: null,
  }
}

function alreadySettled({ id, state }: Hold): Refusal {
  const settledUnits = 'settlement' in state ? state.settlement.requestedUnits : null
  return refuse('already_settled', { reservation: id, settledUnits })
}

function alreadyReleased({ id }: Hold): Refusal {
  return refuse('already_released', { reservation: id })
}

function expired({ id, expiresAtMs }: Hold): Refusal {
  return refuse('reservation_expired', { reservation: id, expiresAtMs })
}

function wrongQuantity(range: 'from 0' | 'above 0', quantity: string | number): Refusal {
  return refuseField('quantity', refuse('invalid_quantity', { quantity, range }))
}
