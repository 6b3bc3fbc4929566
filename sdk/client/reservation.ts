import type { Balance } from './balance.ts'
import { type TollgateFailure, tollgateFailureOf, UnsettledError } from './errors.ts'
import type { CallOptions, HttpCaller } from './http-caller.ts'
import { type Quantity, quantityJson } from './quantity.ts'
import type { Settlement, Used } from './settlement.ts'
import { uuidV7 } from './uuid-v7.ts'

export type ReservationRequest = {
  readonly customer: string
  readonly feature: string
  readonly quantity: Quantity
  /** How long the units stay held without further calls; default 60 s, at most a day. */
  readonly ttlMs?: number
  /** With your own id a repeat from another process gets the same hold; generated when absent. */
  readonly id?: string
  readonly settle?: false
}

/** Decides, holds and settles in one step: the quantity is used when the answer comes. */
export type SettledRequest = Omit<ReservationRequest, 'settle' | 'ttlMs'> & {
  readonly settle: true
  /** The properties that the dimensions of the feature's meter read. */
  readonly data?: Readonly<Record<string, unknown>>
}

export type Reservation = {
  readonly id: string
  readonly quantity: string
  readonly expiresAt: string
  readonly balance: Balance
  /**
   * The real usage: less than held, equal or more, or the events that describe it. May be repeated with the same usage and is
   * then answered the same. The answer names what a hard limit refused of it.
   */
  settle(used: Quantity | Used, data?: Readonly<Record<string, unknown>>): Promise<Settlement>
  /** Gives all units back. May be repeated. */
  release(): Promise<void>
  /** Sets the expiry to `ttlMs` from now. */
  extend(ttlMs: number): Promise<void>
}

/** The hold that the work of `withReservation` gets: call `use` with the usage so far, as often as you learn more. */
export type Hold = Reservation & { use(used: Quantity | Used, data?: Readonly<Record<string, unknown>>): void }

export type WithReservationOptions = {
  readonly ttlMs?: number
  readonly id?: string
  readonly signal?: AbortSignal
  /** Called with what was settled, and what a hard limit refused, when `withReservation` settles. */
  readonly onSettled?: (settlement: Settlement) => void
}

export type ReservationCalls = {
  /**
   * Holds units, or throws a `LimitReachedError` and holds nothing. When the answer is lost, or the call is aborted or runs out
   * of time, units may be held nevertheless, until the hold expires; with `settle: true` they may be used.
   */
  reserve(request: SettledRequest, options?: { readonly signal?: AbortSignal }): Promise<Settlement>
  reserve(request: ReservationRequest, options?: { readonly signal?: AbortSignal }): Promise<Reservation>
  /** Settles by id, wherever the work was done: also a reservation of another process, and after its expiry. May be repeated. */
  settle(reservation: string, used: Quantity | Used): Promise<Settlement>
  /**
   * Holds `estimate`, runs the work, and settles the last usage given to `hold.use` (the estimate when it was never called). When
   * the work throws, usage given to `hold.use` by then is settled; otherwise the hold is released. Throws an `UnsettledError`
   * with the work's result when only the settling failed.
   */
  withReservation<Result>(
    customer: string,
    feature: string,
    estimate: Quantity,
    work: (hold: Hold) => Promise<Result>,
    options?: WithReservationOptions,
  ): Promise<Result>
}

type ReservationAnswer = { readonly id: string; readonly quantity: string; readonly expiresAt: string; readonly balance: Balance }

export function createReservations(deps: {
  readonly call: HttpCaller
  /** For calls that a request waits on. */
  readonly decideOptions: CallOptions
  /** Receives failures besides an error that is thrown. */
  readonly onError: (error: TollgateFailure) => void
}): ReservationCalls {
  const { call, decideOptions, onError } = deps

  const settle = (id: string, used: Quantity | Used): Promise<Settlement> => call(`${pathOf(id)}/settle`, usedJson(asUsed(used)))

  function reserve(request: SettledRequest, options?: { readonly signal?: AbortSignal }): Promise<Settlement>
  function reserve(request: ReservationRequest, options?: { readonly signal?: AbortSignal }): Promise<Reservation>
  async function reserve(
    request: ReservationRequest | SettledRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Settlement | Reservation> {
    const { id = uuidV7(), quantity, ...others } = request
    const json = JSON.stringify({ id, quantity: quantityJson(quantity), ...others })
    const answer = await call<ReservationAnswer & Settlement>('/v1/reservations', json, { ...decideOptions, ...options })
    return request.settle === true ? answer : heldReservation(answer)
  }

  function heldReservation({ id, quantity, expiresAt, balance }: ReservationAnswer): Reservation {
    return {
      id,
      quantity,
      expiresAt,
      balance,
      settle: (used, data) => settle(id, asUsed(used, data)),
      async release() {
        await call(`${pathOf(id)}/release`, '{}')
      },
      async extend(ttl) {
        await call(`${pathOf(id)}/extend`, JSON.stringify({ ttlMs: ttl }))
      },
    }
  }

  return {
    reserve,
    settle,
    async withReservation(customer, feature, estimate, work, { signal, onSettled, ...options } = {}) {
      const reservation = await reserve({ customer, feature, quantity: estimate, ...options }, signal ? { signal } : {})
      const { hold, told } = followHold(reservation)
      let result: Awaited<ReturnType<typeof work>>
      try {
        result = await work(hold)
      } catch (error) {
        // The caller must see the work's own error; if the release fails too, the hold expires.
        if (!told.isEnded) await end(reservation, told.used).then(tellSettled, (failure) => onError(tollgateFailureOf(failure)))
        throw error
      }
      if (told.isEnded) return result
      const used = told.used ?? { quantity: estimate }
      const settlement = await end(reservation, used).catch((cause: unknown) => {
        throw new UnsettledError({ result, reservation: reservation.id, used, cause: tollgateFailureOf(cause) })
      })
      tellSettled(settlement)
      return result

      function tellSettled(settled: Settlement | null): void {
        if (settled === null) return
        try {
          onSettled?.(settled)
        } catch (error) {
          console.error('a tollgate callback threw', error)
        }
      }
    },
  }
}

/** Records what the work reports about its hold; the work may also have settled or released it. */
function followHold(reservation: Reservation) {
  const told: { used: Used | null; isEnded: boolean } = { used: null, isEnded: false }
  const hold: Hold = {
    ...reservation,
    use(used, data) {
      told.used = asUsed(used, data)
    },
    async settle(used, data) {
      const settlement = await reservation.settle(used, data)
      told.isEnded = true
      return settlement
    },
    async release() {
      await reservation.release()
      told.isEnded = true
    },
  }
  return { hold, told }
}

/** Null where nothing was used. */
async function end(reservation: Reservation, used: Used | null): Promise<Settlement | null> {
  if (used !== null && ('events' in used ? used.events.length > 0 : Number(used.quantity) !== 0)) return await reservation.settle(used)
  await reservation.release()
  return null
}

function asUsed(used: Quantity | Used, data?: Readonly<Record<string, unknown>>): Used {
  if (typeof used === 'object') return used
  return data === undefined ? { quantity: used } : { quantity: used, data }
}

function usedJson(used: Used): string {
  return JSON.stringify('events' in used ? used : { ...used, quantity: quantityJson(used.quantity) })
}

function pathOf(id: string): string {
  return `/v1/reservations/${encodeURIComponent(id)}`
}
