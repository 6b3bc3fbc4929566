import type { FeatureKey, InstantMs } from '../../../domain/identity.ts'
import type { Hold, HoldState } from '../../../domain/reservations/hold.ts'
import { type CustomerRef, HOLD_MEMORY_MS } from '../counters.ts'

/** A hold as the scripts keep it (`lua/hold.lua`). */
export type RedisHoldRow = readonly [
  feature: string,
  quantity: string,
  createdAtMs: string,
  expiresAtMs: string,
  state: HoldState['kind'] | 'fenced',
  forgetAtMs: string,
  requestedUnits: string,
  settledUnits: string,
  occurredAtMs: string,
  report: string,
  /** '' for none; absent from rows of before there were any. */
  eventsHash?: string,
]

export function parseHoldRow(text: unknown): RedisHoldRow {
  return JSON.parse(String(text)) as RedisHoldRow
}

export function holdOfRow({ tenant, customer, partition }: CustomerRef, id: string, row: RedisHoldRow): Hold {
  const [feature, quantity, createdAtMs, expiresAtMs, kind, , requested, settled, occurredAtMs, report, eventsHash = ''] = row
  const hold = {
    id,
    tenant,
    customer,
    partition,
    feature: feature as FeatureKey,
    quantity: BigInt(quantity),
    createdAtMs: Number(createdAtMs) as InstantMs,
    expiresAtMs: Number(expiresAtMs) as InstantMs,
  }
  if (kind === 'settling' || kind === 'settled') {
    const settlement = {
      requestedUnits: BigInt(requested),
      settledUnits: BigInt(settled),
      occurredAtMs: Number(occurredAtMs) as InstantMs,
      report,
      eventsHash: eventsHash === '' ? null : eventsHash,
    }
    return { ...hold, state: { kind, settlement } }
  }
  return { ...hold, state: { kind: kind === 'fenced' ? 'expired' : kind } }
}

/** The hold at an instant. Scripts end due holds later, so a row that says `held` may be due. Null when the hold is forgotten. */
export function holdAt(customer: CustomerRef, id: string, row: RedisHoldRow, nowMs: InstantMs): Hold | null {
  const [, , , expiresAtMs, state, forgetAtMs] = row
  if (state === 'fenced') return null
  const hold = holdOfRow(customer, id, row)
  if (state === 'settling' || (state === 'held' && nowMs < hold.expiresAtMs)) return hold
  const forgottenFromMs = state === 'held' ? Number(expiresAtMs) + HOLD_MEMORY_MS : Number(forgetAtMs)
  if (nowMs >= forgottenFromMs) return null
  return state === 'held' ? { ...hold, state: { kind: 'expired' } } : hold
}
