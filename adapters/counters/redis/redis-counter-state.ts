import { unreachable } from '../../../base/invariant.ts'
import type { InstantMs, Offset } from '../../../domain/identity.ts'
import type { CounterState } from '../../../domain/metering/counter-state.ts'

/** A state in the words of the scripts (`lua/counter.lua`): numbers as decimals, so that no digit is lost. */
export function encodeCounterState(state: CounterState): string[] {
  switch (state.kind) {
    case 'add':
      return ['add', state.amount.toString()]
    case 'max':
    case 'min':
      return [state.kind, state.value.toString()]
    case 'average':
      return ['average', state.sum.toString(), state.events.toString()]
    case 'latest':
      return ['latest', state.value.toString(), state.occurredAtMs.toString(), state.offset.toString(), state.index.toString()]
    case 'unique':
      // Half a surrogate pair would make the whole batch unreadable to Redis.
      return ['unique', ...state.values.map((value) => value.toWellFormed())]
    default:
      return unreachable(state)
  }
}

export function decodeCounterState([kind, ...words]: readonly string[]): CounterState {
  const [first = '0', second = '0', third = '0', fourth = '0'] = words
  switch (kind) {
    case 'add':
      return { kind, amount: BigInt(first) }
    case 'max':
    case 'min':
      return { kind, value: BigInt(first) }
    case 'average':
      return { kind, sum: BigInt(first), events: Number(second) }
    case 'latest':
      return {
        kind,
        value: BigInt(first),
        occurredAtMs: Number(second) as InstantMs,
        offset: Number(third) as Offset,
        index: Number(fourth),
      }
    case 'unique':
      return { kind, values: words }
    default:
      throw new Error(`invariant broken: Redis holds states of known kinds, not ${kind}`)
  }
}
