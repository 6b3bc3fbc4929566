import type { Balance } from './balance.ts'
import { TollgateError, UnsettledError } from './errors.ts'
import type { CallOptions, HttpCaller } from './http-caller.ts'
import { type Quantity, quantityJson } from './quantity.ts'
import { uuidV7 } from './uuid-v7.ts'

export type ReservationRequest = {
  readonly customer: string
  readonly feature: string
  readonly quantity: Quantity
  /** How long the units stay held without further calls; default 60 s, at most a day. */
  readonly ttlMs?: number
  /** With your own id a repeat from another process gets the same hold; generated when absent. */
  readonly id?: string
}

export type Reservation = {
  readonly id: string
  readonly quantity: string
  readonly expiresAt: string
  readonly balance: Balance
  /** The real usage: less than held, equal or more. May be repeated with the same quantity. */
  settle(quantity: Quantity, data?: Readonly<Record<string, unknown>>): Promise<void>
  /** Gives all units back. May be repeated. */
  release(): Promise<void>
  /** Sets the expiry to `ttlMs` from now. */
  extend(ttlMs: number): Promise<void>
}

/** The hold that the work of `withReservation` gets: call `use` with the usage so far, as often as you learn more. */
export type Hold = Reservation & { use(quantity: Quantity, data?: Readonly<Record<string, unknown>>): void }

export type WithReservationOptions = { readonly ttlMs?: number; readonly id?: string; readonly signal?: AbortSignal }

export type ReservationCalls = {
  /**
   * Holds units, or throws a `LimitReachedError` and holds nothing. When the answer is lost, or the call is aborted or runs out
   * of time, units may be held nevertheless, until the hold expires.
   */
  reserve(request: ReservationRequest, options?: { readonly signal?: AbortSignal }): Promise<Reservation>
  /**
   * Holds `estimate`, runs the work, and settles the last quantity given to `hold.use` (the estimate when it was never called).
   * When the work throws, a quantity given to `hold.use` by then is settled; otherwise the hold is released. Throws an
   * `UnsettledError` with the work's result when only the settling failed.
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
  readonly onError: (error: TollgateError) => void
}): ReservationCalls {
  const { call, decideOptions, onError } = deps

  async function reserve(request: ReservationRequest, options: { readonly signal?: AbortSignal } = {}): Promise<Reservation> {
    const { id = uuidV7(), quantity, customer, feature, ttlMs } = request
    const json = JSON.stringify({ id, customer, feature, quantity: quantityJson(quantity), ttlMs })
    const held = await call<ReservationAnswer>('/v1/reservations', json, { ...decideOptions, ...options })
    const path = `/v1/reservations/${encodeURIComponent(held.id)}`
    return {
      id: held.id,
      quantity: held.quantity,
      expiresAt: held.expiresAt,
      balance: held.balance,
      async settle(real, data) {
        await call(`${path}/settle`, JSON.stringify({ quantity: quantityJson(real), data }))
      },
      async release() {
        await call(`${path}/release`, '{}')
      },
      async extend(ttl) {
        await call(`${path}/extend`, JSON.stringify({ ttlMs: ttl }))
      },
    }
  }

  return {
    reserve,
    async withReservation(customer, feature, estimate, work, { signal, ...options } = {}) {
      const reservation = await reserve({ customer, feature, quantity: estimate, ...options }, signal ? { signal } : {})
      const { hold, told } = followHold(reservation)
      let result: Awaited<ReturnType<typeof work>>
      try {
        result = await work(hold)
      } catch (error) {
        // The caller must see the work's own error; if the release fails too, the hold expires.
        if (!told.isEnded) await end(reservation, told.used).catch((failure: unknown) => onError(asTollgateError(failure)))
        throw error
      }
      if (told.isEnded) return result
      const used = told.used ?? { quantity: estimate, data: undefined }
      await end(reservation, used).catch((cause: unknown) => {
        throw new UnsettledError({ result, reservation: reservation.id, quantity: used.quantity, cause: asTollgateError(cause) })
      })
      return result
    },
  }
}

type Used = { readonly quantity: Quantity; readonly data: Readonly<Record<string, unknown>> | undefined }

/** Records what the work reports about its hold; the work may also have settled or released it. */
function followHold(reservation: Reservation) {
  const told: { used: Used | null; isEnded: boolean } = { used: null, isEnded: false }
  const hold: Hold = {
    ...reservation,
    use(quantity, data) {
      told.used = { quantity, data }
    },
    async settle(quantity, data) {
      await reservation.settle(quantity, data)
      told.isEnded = true
    },
    async release() {
      await reservation.release()
      told.isEnded = true
    },
  }
  return { hold, told }
}

async function end(reservation: Reservation, used: Used | null): Promise<void> {
  if (used === null || Number(used.quantity) === 0) await reservation.release()
  else await reservation.settle(used.quantity, used.data)
}

function asTollgateError(error: unknown): TollgateError {
  if (error instanceof TollgateError) return error
  return new TollgateError('sdk_failed', String(error), { status: 0, canRetry: false, cause: error })
}
