import type { Balance } from './balance.ts'
import type { Quantity } from './quantity.ts'

/** What was really used: a quantity of the feature, or the events that say what happened, which every meter reads. */
export type Used =
  | {
      readonly quantity: Quantity
      /** The properties that the dimensions of the feature's meter read. */
      readonly data?: Readonly<Record<string, unknown>>
      /** Taken as no earlier than the reservation and no later than now. */
      readonly time?: Date
    }
  | { readonly events: readonly UsedEvent[] }

export type UsedEvent = {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  /** Taken as no earlier than the reservation and no later than now. */
  readonly time?: Date
  /** Of an event that may also be tracked: under the same id it counts once. */
  readonly id?: string
}

/** The answer to a settle. Quantities are exact decimal strings. */
export type Settlement = {
  readonly id: string
  readonly status: string
  /** What counts of the feature that was reserved. */
  readonly settled: string
  /** What was used beyond the hold and finds no room under a hard limit; it counts nowhere. */
  readonly refused: string
  /** With what was settled. Absent while the server cannot say it without a wait. */
  readonly balance?: Balance
}
