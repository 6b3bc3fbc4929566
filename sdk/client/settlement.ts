import type { Balance } from './balance.ts'
import type { Quantity } from './quantity.ts'

/** The real usage: a quantity of the feature, or the events that describe it, which every meter reads. */
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
  /** Id of an event that may also be tracked: under the same id it counts once. */
  readonly id?: string
}

/** The answer to a settle. Quantities are exact decimal strings. */
export type Settlement = {
  readonly id: string
  readonly status: string
  /** The usage of the reserved feature that counts. */
  readonly settled: string
  /** Usage beyond the hold that did not fit under a hard limit; it counts nowhere. */
  readonly refused: string
  /** Includes the settled usage. Absent while the server cannot answer it without a wait. */
  readonly balance?: Balance
}
