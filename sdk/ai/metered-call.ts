import { UnavailableError } from '../client/errors.ts'
import type { Quantity } from '../client/quantity.ts'
import type { Reservation } from '../client/reservation.ts'
import { letProcessEnd } from '../client/sleep.ts'
import type { TollgateClient } from '../client/tollgate-client.ts'
import { uuidV7 } from '../client/uuid-v7.ts'
import type { CallData } from './call-reader.ts'
import type { Json } from './json.ts'

export type MeterOptions = {
  readonly tollgate: Pick<TollgateClient, 'track' | 'reserve' | 'flush'>
  /** Who is charged: one customer, or the one of this call. */
  readonly customer: string | ((call: CallContext) => string)
  /** Holds units before the call; without it the call is counted and never refused. */
  readonly reserve?: ReserveOptions
  /** Further fields of the event, for dimensions of your own. */
  readonly data?: Json
  /** For hosts that freeze after an answer: gets the sending of the event. */
  readonly waitUntil?: (sent: Promise<unknown>) => void
}

export type ReserveOptions = {
  readonly feature: string
  /**
   * `bound`: bytes of the prompt and the most that may come out, which no call passes; `typical`: a third of the bytes and the
   * same. Or a quantity of your own. Default `typical`.
   */
  readonly estimate?: 'typical' | 'bound' | Quantity
  /** Lowers the most that may come out to what was held, less the input, so that the model cannot pass the hold. Default true. */
  readonly clampOutput?: boolean
  /** Default 600,000; a call that takes longer keeps its hold. */
  readonly ttlMs?: number
  /** What happens while Tollgate cannot be reached. Default `deny`. */
  readonly onUnavailable?: 'deny' | 'allow'
}

export type CallContext = { readonly model: string; readonly surface: string }
export type CallSize = {
  readonly promptBytes: number
  /** The most that may come out, where the call says so. */
  readonly outputMax: number | undefined
}

export type MeteredCall = {
  /** What the call must be limited to; undefined where nothing is held, or the call's own limit is low enough. */
  readonly outputMax: number | undefined
  /** The call is over; null where nothing was received, which gives the hold back. It is told once. */
  end(data: CallData | null): void
}

const TTL_MS = 600_000
/** Held for a call that names no limit of its own. */
const OUTPUT_TOKENS_USUAL = 4_096
const BYTES_PER_TOKEN = 3

/** Begins one call of a provider: its own id, its own hold, its own event. Throws a `LimitReachedError` before any call is made. */
export async function beginCall(options: MeterOptions, context: CallContext, size: CallSize): Promise<MeteredCall> {
  const id = uuidV7()
  const customer = typeof options.customer === 'function' ? options.customer(context) : options.customer
  const { reserve } = options
  const wanted = reserve === undefined ? null : wantedHold(reserve, size)
  const held = reserve === undefined || wanted === null ? null : await hold(options, reserve, customer, wanted.quantity)
  const keeping = held === null ? null : keepHeld(held, reserve?.ttlMs ?? TTL_MS)
  let isOver = false
  return {
    outputMax: held === null ? undefined : wanted?.outputMax,
    end(data) {
      if (isOver) return
      isOver = true
      clearInterval(keeping ?? undefined)
      // A hold that cannot be given back expires.
      if (data === null) void held?.release().catch(() => undefined)
      else {
        const reservation = held === null ? {} : { reservation: held.id }
        const event = { ...options.data, model: context.model, ...data }
        options.tollgate.track({ id, type: 'llm.request', customer, data: event, ...reservation })
        options.waitUntil?.(options.tollgate.flush().catch(() => undefined))
      }
    },
  }
}

function wantedHold({ estimate = 'typical', clampOutput = true }: ReserveOptions, { promptBytes, outputMax }: CallSize) {
  const input = estimate === 'bound' ? promptBytes : Math.ceil(promptBytes / BYTES_PER_TOKEN)
  const output = outputMax ?? OUTPUT_TOKENS_USUAL
  if (estimate === 'bound' || estimate === 'typical') return { quantity: input + output, outputMax: clampOutput ? output : undefined }
  const left = Math.max(Math.floor(Number(estimate)) - input, 1)
  return { quantity: estimate, outputMax: clampOutput ? Math.min(output, left) : undefined }
}

async function hold(
  { tollgate }: MeterOptions,
  reserve: ReserveOptions,
  customer: string,
  quantity: Quantity,
): Promise<Reservation | null> {
  const { feature, ttlMs = TTL_MS, onUnavailable = 'deny' } = reserve
  try {
    return await tollgate.reserve({ customer, feature, quantity, ttlMs })
  } catch (error) {
    if (onUnavailable === 'allow' && error instanceof UnavailableError) return null
    throw error
  }
}

function keepHeld(held: Reservation, ttlMs: number): ReturnType<typeof setInterval> {
  const timer = setInterval(() => void held.extend(ttlMs).catch(() => undefined), ttlMs / 2)
  letProcessEnd(timer)
  return timer
}
