import { exactOf, ONE } from '../support/exact-decimal.ts'
import type { FeatureSpec, MeterSpec } from './world.ts'

export type SentEvent = {
  readonly id: string
  readonly customer: string
  readonly type: string
  readonly timeMs: number
  readonly data: Readonly<Record<string, unknown>>
}

/** Usage that a settled reservation reported: it counts for the feature's meter without an event of the sender's. */
export type SettledUsage = {
  readonly reservation: string
  readonly customer: string
  readonly meter: string
  readonly timeMs: number
  readonly quantity: bigint
}

/** The sender's own record: what it sent, what was acknowledged, and the totals. It knows nothing of the server. */
export type Ledger = {
  sending(events: readonly SentEvent[]): void
  acknowledged(events: readonly SentEvent[]): void
  settled(usage: SettledUsage): void
  /** The usage of a reservation that was settled by events is those events. */
  settledByEvents(reservation: string): void
  isAcknowledged(event: SentEvent): boolean
  /** Every event ever sent, each once. */
  events(): readonly SentEvent[]
  settledUsage(): readonly SettledUsage[]
  reservationsSettledByEvents(): readonly string[]
  unacknowledged(): readonly SentEvent[]
  /** True once for each instant of a customer, so that the latest of two events is never a matter of their order in the log. */
  claimInstant(customer: string, timeMs: number): boolean
  /** The usage of all events sent, acknowledged or not: no answer may ever exceed it. */
  usage(meter: MeterSpec, wanted: UsageWanted): ReadonlyMap<string, Usage>
}

export type UsageWanted = {
  readonly customer?: string
  readonly filter?: FeatureSpec['filter']
  readonly fromMs: number
  readonly toMs: number
  /** Half-open slices from the epoch; absent is one slice. */
  readonly sliceMs?: number
  readonly groupBy: readonly string[]
}

/** `value` is null when nothing was counted, which differs from 0. */
export type Usage = { readonly events: number; readonly value: bigint | null }

export function createLedger(): Ledger {
  const events = new Map<string, SentEvent>()
  const byType = new Map<string, SentEvent[]>()
  const acknowledged = new Set<string>()
  const instants = new Set<string>()
  const settled = new Map<string, SettledUsage>()
  const settledByEvents = new Set<string>()
  return {
    sending(sent) {
      for (const event of sent) {
        if (events.has(nameOf(event))) continue
        events.set(nameOf(event), event)
        const ofType = byType.get(event.type)
        if (ofType === undefined) byType.set(event.type, [event])
        else ofType.push(event)
      }
    },
    acknowledged(sent) {
      for (const event of sent) acknowledged.add(nameOf(event))
    },
    settled(usage) {
      settled.set(usage.reservation, usage)
    },
    settledByEvents(reservation) {
      settledByEvents.add(reservation)
    },
    reservationsSettledByEvents: () => [...settledByEvents],
    isAcknowledged: (event) => acknowledged.has(nameOf(event)),
    events: () => [...events.values()],
    settledUsage: () => [...settled.values()],
    unacknowledged: () => [...events.values()].filter((event) => !acknowledged.has(nameOf(event))),
    claimInstant(customer, timeMs) {
      const name = `${customer} ${timeMs}`
      if (instants.has(name)) return false
      instants.add(name)
      return true
    },
    usage(meter, wanted) {
      const readings = (byType.get(meter.eventType) ?? []).flatMap((event) => readEvent(meter, event))
      const reported = [...settled.values()].filter((usage) => usage.meter === meter.key && usage.quantity > 0n).map(readSettled)
      return fold(meter, wanted, [...readings, ...reported])
    },
  }
}

function nameOf({ customer, id }: SentEvent): string {
  return `${customer}\n${id}`
}

type Reading = {
  readonly customer: string
  readonly timeMs: number
  readonly quantity: bigint
  readonly text: string
  readonly data: Readonly<Record<string, unknown>>
}

/** None for an event that the meter cannot count. */
function readEvent(meter: MeterSpec, { customer, timeMs, data }: SentEvent): Reading[] {
  const values = meter.value.map((name) => data[name]).filter((value) => value !== undefined)
  if (meter.value.length > 0 && values.length === 0) return []
  const reading = { customer, timeMs, data, quantity: 0n, text: '' }
  if (meter.aggregation === 'count') return [reading]
  if (meter.aggregation === 'unique') return [{ ...reading, text: values.map(String).join(' ') }]
  if (!values.every((value) => typeof value === 'number' || (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)))) return []
  return [{ ...reading, quantity: values.reduce<bigint>((sum, value) => sum + exactOf(value as string | number), 0n) }]
}

function readSettled({ customer, timeMs, quantity }: SettledUsage): Reading {
  return { customer, timeMs, quantity, text: '', data: {} }
}

function fold(meter: MeterSpec, wanted: UsageWanted, readings: readonly Reading[]): ReadonlyMap<string, Usage> {
  const groups = new Map<string, Reading[]>()
  for (const reading of readings) {
    if (reading.timeMs < wanted.fromMs || reading.timeMs >= wanted.toMs) continue
    if (wanted.customer !== undefined && reading.customer !== wanted.customer) continue
    if (!passes(wanted.filter ?? {}, reading.data)) continue
    const slice = wanted.sliceMs === undefined ? '' : Math.floor(reading.timeMs / wanted.sliceMs) * wanted.sliceMs
    const group = JSON.stringify([
      slice,
      ...wanted.groupBy.map((name) => (name === 'customer' ? reading.customer : String(reading.data[name] ?? ''))),
    ])
    const ofGroup = groups.get(group)
    if (ofGroup === undefined) groups.set(group, [reading])
    else ofGroup.push(reading)
  }
  return new Map([...groups].map(([group, ofGroup]) => [group, { events: ofGroup.length, value: aggregate(meter.aggregation, ofGroup) }]))
}

function passes(filter: NonNullable<FeatureSpec['filter']>, data: Reading['data']): boolean {
  return Object.entries(filter).every(([name, values]) => values.includes(String(data[name] ?? '')))
}

function aggregate(aggregation: MeterSpec['aggregation'], readings: readonly Reading[]): bigint {
  const quantities = readings.map(({ quantity }) => quantity)
  switch (aggregation) {
    case 'sum':
      return quantities.reduce((sum, quantity) => sum + quantity, 0n)
    case 'count':
      return BigInt(readings.length) * ONE
    case 'unique':
      return BigInt(new Set(readings.map(({ text }) => text)).size) * ONE
    case 'max':
      return quantities.toSorted(ascending).at(-1) ?? 0n
    case 'min':
      return quantities.toSorted(ascending).at(0) ?? 0n
    case 'latest':
      return readings.reduce((last, reading) => (reading.timeMs > last.timeMs ? reading : last)).quantity
  }
}

const ascending = (a: bigint, b: bigint) => (a < b ? -1 : 1)
