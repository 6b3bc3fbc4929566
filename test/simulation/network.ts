import { Fault } from '../../base/fault.ts'
import type { Partition } from '../../domain/identity.ts'
import type { SeededRandom } from './seeded-random.ts'

/**
 * The caller of a call. Once it crashes, its code gets no answer any more, to anything; that ends it. `hasLost` holds the
 * partitions that it has lost without knowing.
 */
export type Caller = { isAlive: boolean; readonly hasLost: Set<Partition> }

export function createCaller(): Caller {
  return { isAlive: true, hasLost: new Set() }
}

/**
 * Thrown by operations that only the owner of a partition may do: take up a meter, track a counter. Such a call of a former owner
 * does not arrive late here. It would do harm, and neither store can tell it from the owner's.
 */
export function assertOwner({ isAlive, hasLost }: Caller, partition: Partition): void {
  if (!isAlive || hasLost.has(partition)) throw unanswered()
}

/**
 * Every call from one part of the system to another passes here and waits until it is delivered, in a random order. A call may
 * fail before or after it had its effect, and a call sent before its caller crashed may be lost or arrive much later.
 */
export type Network = {
  call<Value>(caller: Caller, effect: () => Value | Promise<Value>): Promise<Value>
  waiting(): number
  /** Delivers one of the waiting calls. */
  deliver(): void
  /** Share of calls that fail. */
  faultRate: number
  /** The caller is gone: each of its calls under way is lost, or arrives late, or arrives now because the process it calls is gone too. */
  crash(caller: Caller, whatArrives: 'late' | 'now'): void
}

/** Share of deliveries that deliver a late call, when there is one. */
const LATE_RATE = 0.002

type Call = {
  readonly caller: Caller
  readonly effect: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

export function createNetwork(random: SeededRandom): Network {
  let calls: Call[] = []
  /** Calls of crashed callers. */
  const late: Call[] = []

  function take(from: Call[]): Call | undefined {
    const at = random.integer(0, from.length - 1)
    const taken = from[at]
    const last = from.pop()
    if (last !== undefined && last !== taken) from[at] = last
    return taken
  }

  async function perform({ caller, effect, resolve, reject }: Call, failure: 'before' | 'after' | null): Promise<void> {
    try {
      if (failure === 'before') throw unanswered()
      const value = await effect()
      if (failure === 'after') throw unanswered()
      if (caller.isAlive) resolve(value)
    } catch (error) {
      if (caller.isAlive) reject(error)
    }
  }

  const network: Network = {
    faultRate: 0,
    call(caller, effect) {
      return new Promise((resolve, reject) => {
        if (caller.isAlive) calls.push({ caller, effect, resolve: resolve as (value: unknown) => void, reject })
      })
    },
    waiting: () => calls.length + late.length,
    deliver() {
      const call = take(calls.length === 0 || random.chance(LATE_RATE) ? late : calls)
      if (call === undefined) return
      const fails = call.caller.isAlive && random.chance(network.faultRate)
      void perform(call, fails ? random.pick(['before', 'after'] as const) : null)
    },
    crash(caller, whatArrives) {
      caller.isAlive = false
      const arriving = calls.filter((call) => call.caller === caller && random.chance(0.5))
      calls = calls.filter((call) => call.caller !== caller)
      if (whatArrives === 'late') late.push(...arriving)
      else for (const call of arriving) void perform(call, null)
    },
  }
  return network
}

/** The error of a call that was not answered, or did not arrive. */
export function unanswered(): Fault {
  return new Fault('simulated_fault', 'a call was not answered', { canRetry: true, publicText: 'Try again.' })
}
