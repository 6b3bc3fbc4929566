import type { HttpCaller } from './http-caller.ts'
import type { Balance } from './tollgate-client.ts'

export type ReservationRequest = {
  readonly customer: string
  readonly feature: string
  readonly quantity: string | number
  /** How long the units stay held without a word from us; default 60 s, at most a day. */
  readonly ttlMs?: number
  /** Your own id makes a repeat across processes the same hold; made up when absent. */
  readonly id?: string
}

export type Reservation = {
  readonly id: string
  readonly quantity: string
  readonly expiresAt: string
  readonly balance: Balance
  /** The real usage: less, equal or more than held. May be repeated with the same quantity. */
  settle(quantity: string | number, data?: Readonly<Record<string, unknown>>): Promise<void>
  /** Gives all units back. May be repeated. */
  release(): Promise<void>
  extend(ttlMs: number): Promise<void>
}

/** What the callback of `withReservation` gets: say what was really used, as often as you learn more. */
export type Hold = Reservation & { use(quantity: string | number): void }

export type ReservationCalls = {
  /** Holds units, or throws a `LimitReachedError` and holds nothing. */
  reserve(request: ReservationRequest): Promise<Reservation>
  /**
   * Holds `estimate`, runs the work, and settles with what `hold.use` said last (the estimate when it was never called).
   * When the work throws, the hold is released; but what `hold.use` had reported by then was used, and is settled.
   */
  withReservation<Result>(
    customer: string,
    feature: string,
    estimate: string | number,
    work: (hold: Hold) => Promise<Result>,
  ): Promise<Result>
}

type ReservationAnswer = { readonly id: string; readonly quantity: string; readonly expiresAt: string; readonly balance: Balance }

export function createReservations(call: HttpCaller): ReservationCalls {
  async function reserve({ id = crypto.randomUUID(), quantity, ...request }: ReservationRequest): Promise<Reservation> {
    const held = await call<ReservationAnswer>('POST', '/v1/reservations', { ...request, id, quantity: String(quantity) })
    const path = `/v1/reservations/${encodeURIComponent(held.id)}`
    return {
      ...held,
      async settle(real, data) {
        await call('POST', `${path}/settle`, { quantity: String(real), ...(data ? { data } : {}) })
      },
      async release() {
        await call('POST', `${path}/release`, {})
      },
      async extend(ttlMs) {
        await call('POST', `${path}/extend`, { ttlMs })
      },
    }
  }

  return {
    reserve,
    async withReservation(customer, feature, estimate, work) {
      const reservation = await reserve({ customer, feature, quantity: estimate })
      let used: string | number | null = null
      const hold: Hold = {
        ...reservation,
        use(quantity) {
          used = quantity
        },
      }
      let result: Awaited<ReturnType<typeof work>>
      try {
        result = await work(hold)
      } catch (error) {
        // The work's own error is what the caller must see; a release that fails is mended by the hold's expiry.
        await (used === null ? reservation.release() : reservation.settle(used)).catch(() => undefined)
        throw error
      }
      await reservation.settle(used ?? estimate)
      return result
    },
  }
}
