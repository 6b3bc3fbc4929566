import { type BudgetAccount, createSharedBudget, type SharedBudget, type Shortage } from '../base/bounds/shared-budget.ts'
import type { Clock } from '../base/clock.ts'
import { type Refusal, RefusalError, refuse } from '../domain/refusal.ts'
import { INGEST_BOUNDS } from './ingest-bounds.ts'

/** The holder of a request's memory: each tenant, key and connection has its own share. */
export type RequestHolder = { readonly tenant: string; readonly key: string; readonly connection: unknown }
export type RoomLevel = keyof RequestHolder

/** Memory that requests of events may hold, bounded over all of them and shared. */
export type Room = {
  /** Unpacked bytes received and not yet durable. */
  readonly bytes: SharedBudget<RoomLevel>
  /** Memory of open decoders. */
  readonly decoders: SharedBudget<RoomLevel>
}

const LEVELS = ['tenant', 'key', 'connection'] as const
export const ROOM_WAIT_MS_MAX = INGEST_BOUNDS.waitingTime.most * 1_000

export function createRoom(bytesMax: number, clock: Pick<Clock, 'after'>): Room {
  return {
    bytes: createSharedBudget({ unitsMax: bytesMax, levels: LEVELS, waitersMax: INGEST_BOUNDS.waiting.most, clock }),
    decoders: createSharedBudget({
      unitsMax: INGEST_BOUNDS.decoderBytes.most,
      levels: LEVELS,
      waitersMax: INGEST_BOUNDS.waiting.most,
      clock,
    }),
  }
}

/** Waits for room for a decoder; resolves to a function that gives it back, and throws `overloaded`. */
export async function roomForDecoder({ decoders }: Room, holder: RequestHolder, bytes: number): Promise<() => void> {
  const account = decoders.open(holder)
  const shortage = await account.take(bytes, ROOM_WAIT_MS_MAX)
  if (shortage === undefined) return account.close
  account.close()
  throw new RefusalError(overloaded('decoder_bytes', shortage))
}

export function overloaded(bound: 'bytes' | 'decoder_bytes', { per, held, limit }: Shortage<RoomLevel>): Refusal {
  return refuse('overloaded', { bound, per, held, limit })
}

export type RoomAccount = BudgetAccount<RoomLevel>
