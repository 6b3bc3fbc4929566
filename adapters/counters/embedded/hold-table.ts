import { invariant } from '../../../base/invariant.ts'
import type { FeatureKey, InstantMs, Partition, TenantKey } from '../../../domain/identity.ts'
import type { Hold, HoldState } from '../../../domain/reservations/hold.ts'
import { type CustomerRef, HOLD_MEMORY_MS, type SettledHold } from '../counters.ts'
import { type Expiring, ExpiryQueue } from './expiry-queue.ts'
import { decodeHold, encodeHold, endedHoldKey, type ForgetRow, forgetKey, type HoldName, liveHoldKey } from './hold-rows.ts'
import type { CounterRow, RowValue } from './stored-row.ts'

/** Reads an ended hold's value from disk, by its `endedHoldKey`. */
export type ReadEnded = (name: HoldName) => RowValue | undefined

/**
 * The holds under way in memory, with their sums per customer and feature, and which of them are not on disk yet. An ended hold
 * stays in memory until it is on disk, and is read from there when somebody asks for it again. No call waits.
 */
export class HoldTable {
  readonly #entries = new Map<string, Entry>()
  readonly #sums = new Map<string, Sums>()
  readonly #expiring = new ExpiryQueue<Entry>()
  readonly #readEnded: ReadEnded
  readonly #onEnded: (state: HoldState['kind']) => void
  #unwritten = new Set<string>()
  #forgotten: CounterRow[] = []
  #liveCount = 0
  readonly #liveOf = new Map<TenantKey, number>()

  constructor(readEnded: ReadEnded, onEnded: (state: HoldState['kind']) => void = () => undefined) {
    this.#readEnded = readEnded
    this.#onEnded = onEnded
  }

  get liveCount(): number {
    return this.#liveCount
  }

  /** How many holds are not on disk in their present state. */
  liveCountOf(tenant: TenantKey): number {
    return this.#liveOf.get(tenant) ?? 0
  }

  get unwrittenCount(): number {
    return this.#unwritten.size
  }

  /** Loads a hold under way from disk. */
  load(hold: Hold): void {
    this.#enter(hold, false)
  }

  /** Ends every hold that is due. Must precede every look at holds, so that an expired one is never counted. */
  expire(nowMs: InstantMs): number {
    let expired = 0
    for (let due = this.#expiring.takeDue(nowMs); due !== undefined; due = this.#expiring.takeDue(nowMs)) {
      this.set({ ...due.hold, state: { kind: 'expired' } }, due.hold.expiresAtMs)
      expired++
    }
    return expired
  }

  find(name: HoldName): Hold | undefined {
    const entry = this.#entries.get(nameOf(name))
    if (entry !== undefined) return entry.hold
    const value = this.#readEnded(name)
    return value === undefined ? undefined : decodeEnded(name, value).hold
  }

  /** Whether the hold in its present state is not on disk yet. */
  isUnwritten(name: HoldName): boolean {
    return this.#entries.get(nameOf(name))?.isWritten === false
  }

  /** Held units of a feature: every hold that is `held`, and those that settle into the period or a later one. */
  heldUnits(customer: CustomerRef, feature: FeatureKey, periodStartMs: InstantMs): bigint {
    if (this.#sums.size === 0) return 0n
    const sums = this.#sums.get(sumsKeyOf(customer, feature))
    if (sums === undefined) return 0n
    if (periodStartMs <= sums.settlingFromMs) return sums.heldUnits + sums.settlingUnits
    let units = sums.heldUnits
    for (const { settlement } of sums.settling.values()) if (settlement.occurredAtMs >= periodStartMs) units += settlement.settledUnits
    return units
  }

  /** A new hold, or a new state of one. */
  set(hold: Hold, nowMs: InstantMs): void {
    const name = nameOf(hold)
    const known = this.#entries.get(name)
    // A hold that is not in memory may have a row as an ended one.
    const entry = known ?? this.#enter(hold, true)
    if (known !== undefined) {
      this.#leaveSums(known.hold)
      if (known.place >= 0) this.#expiring.remove(known)
      known.hold = hold
      this.#enterSums(known)
    }
    entry.isWritten = false
    entry.forgetAtMs = (Math.max(hold.expiresAtMs, nowMs) + HOLD_MEMORY_MS) as InstantMs
    if (!isLive(hold)) this.#onEnded(hold.state.kind)
    this.#unwritten.add(name)
  }

  /** The usage event was applied. A hold that is no longer known, or is another customer's, has nothing to end. */
  settled({ tenant, customer, id }: SettledHold, nowMs: InstantMs): void {
    const hold = this.#entries.get(nameOf({ tenant, id }))?.hold
    if (hold === undefined || hold.customer !== customer) return
    // An event that was sent by its user: what it counts is used from here on, so nothing of the hold is left to settle.
    if (hold.state.kind === 'held') this.set({ ...hold, state: { kind: 'released' } }, nowMs)
    if (hold.state.kind !== 'settling') return
    this.set({ ...hold, state: { kind: 'settled', settlement: { ...hold.state.settlement, report: '' } } }, nowMs)
  }

  /** Settling holds of one partition, by id. */
  settling(partition: Partition): Hold[] {
    const holds: Hold[] = []
    for (const { settling } of this.#sums.values()) {
      for (const { hold } of settling.values()) if (hold.partition === partition) holds.push(hold)
    }
    return holds.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Removes the rows of holds that are remembered no longer. */
  forget(due: Iterable<ForgetRow>): number {
    let removed = 0
    for (const row of due) {
      removed++
      this.#forgotten.push({ key: forgetKey(row, row.forgetAtMs), value: undefined })
      // A hold that settled late is remembered for longer.
      const ended = this.#entries.has(nameOf(row)) ? undefined : this.#readEnded(row)
      if (ended !== undefined && decodeEnded(row, ended).forgetAtMs <= row.forgetAtMs) {
        this.#forgotten.push({ key: endedHoldKey(row), value: undefined })
      }
    }
    return removed
  }

  /** The rows that bring the disk up to this moment; a call of `wrote` or `giveBack` must follow. */
  takeUnwritten(): UnwrittenHolds {
    const taken: UnwrittenHolds = { rows: this.#forgotten, names: this.#unwritten, forgotten: this.#forgotten.length }
    this.#forgotten = []
    this.#unwritten = new Set()
    for (const name of taken.names) {
      const entry = this.#entries.get(name)
      invariant(entry !== undefined, 'a hold stays until it is written')
      taken.rows.push(...rowsOf(entry))
      if (!isLive(entry.hold)) entry.mayHaveEndedRow = true
    }
    return taken
  }

  wrote({ names }: UnwrittenHolds): void {
    for (const name of names) {
      const entry = this.#entries.get(name)
      // A change since the write began comes with the next write.
      if (entry === undefined || this.#unwritten.has(name)) continue
      entry.isWritten = true
      if (!isLive(entry.hold)) this.#entries.delete(name)
    }
  }

  giveBack({ rows, names, forgotten }: UnwrittenHolds): void {
    this.#forgotten.unshift(...rows.slice(0, forgotten))
    for (const name of names) this.#unwritten.add(name)
  }

  #enter(hold: Hold, mayHaveEndedRow: boolean): Entry {
    const entry: Entry = new Entry(hold, mayHaveEndedRow)
    this.#entries.set(nameOf(hold), entry)
    this.#enterSums(entry)
    return entry
  }

  #enterSums(entry: Entry): void {
    const { hold } = entry
    if (!isLive(hold)) return
    this.#liveCount++
    this.#liveOf.set(hold.tenant, this.liveCountOf(hold.tenant) + 1)
    const key = sumsKeyOf(hold, hold.feature)
    const sums = this.#sums.get(key) ?? newSums()
    this.#sums.set(key, sums)
    if (hold.state.kind === 'settling') {
      const { settlement } = hold.state
      sums.settling.set(hold.id, { hold, settlement })
      sums.settlingUnits += settlement.settledUnits
      if (settlement.occurredAtMs < sums.settlingFromMs) sums.settlingFromMs = settlement.occurredAtMs
    } else {
      sums.held++
      sums.heldUnits += hold.quantity
      this.#expiring.add(entry)
    }
  }

  #leaveSums(hold: Hold): void {
    if (!isLive(hold)) return
    this.#liveCount--
    const left = this.liveCountOf(hold.tenant) - 1
    if (left === 0) this.#liveOf.delete(hold.tenant)
    else this.#liveOf.set(hold.tenant, left)
    const key = sumsKeyOf(hold, hold.feature)
    const sums = this.#sums.get(key)
    invariant(sums !== undefined, 'a hold under way is in a sum')
    if (hold.state.kind === 'settling') {
      sums.settling.delete(hold.id)
      sums.settlingUnits -= hold.state.settlement.settledUnits
      if (sums.settling.size === 0) sums.settlingFromMs = Number.POSITIVE_INFINITY
    } else {
      sums.held--
      sums.heldUnits -= hold.quantity
    }
    if (sums.held === 0 && sums.settling.size === 0) this.#sums.delete(key)
  }
}

export type UnwrittenHolds = { readonly rows: CounterRow[]; readonly names: ReadonlySet<string>; readonly forgotten: number }

type Settlement = Extract<HoldState, { settlement: unknown }>['settlement']

type Sums = {
  held: number
  heldUnits: bigint
  readonly settling: Map<string, { readonly hold: Hold; readonly settlement: Settlement }>
  settlingUnits: bigint
  /** No settling hold has an event time before this one. */
  settlingFromMs: number
}

class Entry implements Expiring {
  hold: Hold
  place = -1
  isWritten = true
  forgetAtMs = 0 as InstantMs
  mayHaveEndedRow: boolean

  constructor(hold: Hold, mayHaveEndedRow: boolean) {
    this.hold = hold
    this.mayHaveEndedRow = mayHaveEndedRow
  }

  get expiresAtMs(): InstantMs {
    return this.hold.expiresAtMs
  }
}

const newSums = (): Sums => ({
  held: 0,
  heldUnits: 0n,
  settling: new Map(),
  settlingUnits: 0n,
  settlingFromMs: Number.POSITIVE_INFINITY,
})

const isLive = ({ state }: Hold): boolean => state.kind === 'held' || state.kind === 'settling'
const nameOf = ({ tenant, id }: HoldName): string => `${tenant}\0${id}`
const sumsKeyOf = ({ tenant, customer }: Pick<CustomerRef, 'tenant' | 'customer'>, feature: FeatureKey): string =>
  `${tenant}\0${customer}\0${feature}`

function rowsOf({ hold, forgetAtMs, mayHaveEndedRow }: Entry): CounterRow[] {
  if (isLive(hold)) {
    const row = { key: liveHoldKey(hold), value: encodeHold(hold) }
    return mayHaveEndedRow ? [row, { key: endedHoldKey(hold), value: undefined }] : [row]
  }
  return [
    { key: liveHoldKey(hold), value: undefined },
    { key: endedHoldKey(hold), value: [forgetAtMs, ...encodeHold(hold)] },
    { key: forgetKey(hold, forgetAtMs), value: [] },
  ]
}

function decodeEnded(name: HoldName, [forgetAtMs, ...value]: RowValue): { readonly hold: Hold; readonly forgetAtMs: InstantMs } {
  return { hold: decodeHold(name, value), forgetAtMs: forgetAtMs as InstantMs }
}
