import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CounterState, mergeCounterStates, usedQuantity } from './counter-state.ts'

const quantity = fc.bigInt(-(10n ** 30n), 10n ** 30n)
const place = fc.record({ occurredAtMs: fc.nat(3), offset: fc.nat(3), index: fc.nat(3) })
/** An event's place in the log is its own, so no two differ in value at the same place. */
const latest = place.map((at) => ({ kind: 'latest', value: BigInt(at.offset * 10 + at.index), ...at }) as CounterState)
const states: Record<CounterState['kind'], fc.Arbitrary<CounterState>> = {
  add: quantity.map((amount) => ({ kind: 'add', amount })),
  max: quantity.map((value) => ({ kind: 'max', value })),
  min: quantity.map((value) => ({ kind: 'min', value })),
  average: fc.record({ sum: quantity, events: fc.nat(5) }).map(({ sum, events }) => ({ kind: 'average', sum, events })),
  latest,
  unique: fc.array(fc.constantFrom('a', 'b', 'c', 'd')).map((values) => ({ kind: 'unique', values: [...new Set(values)] })),
}

test.each(Object.entries(states))('%s: merged in any order and grouping it is the same', (_, state) => {
  fc.assert(
    fc.property(fc.array(state, { minLength: 1, maxLength: 8 }), fc.infiniteStream(fc.nat()), (updates, picks) => {
      const inOrder = updates.reduce(mergeCounterStates)
      const pool = [...updates]
      while (pool.length > 1) {
        const [a] = pool.splice((picks.next().value as number) % pool.length, 1)
        const [b] = pool.splice((picks.next().value as number) % pool.length, 1)
        if (a === undefined || b === undefined) throw new Error('the pool ran dry')
        pool.push(mergeCounterStates(a, b))
      }
      expect(canonical(pool[0])).toEqual(canonical(inOrder))
    }),
  )
})

test.each(['max', 'min', 'latest', 'unique'] as const)('%s: counted twice counts once', (kind) => {
  fc.assert(
    fc.property(states[kind], states[kind], (a, b) => {
      const once = mergeCounterStates(a, b)
      expect(canonical(mergeCounterStates(once, b))).toEqual(canonical(once))
    }),
  )
})

test('states of two meters never meet', () => {
  expect(() => mergeCounterStates({ kind: 'add', amount: 1n }, { kind: 'max', value: 1n })).toThrow('invariant broken')
})

test.each([
  { sum: 0n, events: 0, used: 0n },
  { sum: 10n, events: 3, used: 3n },
  { sum: 11n, events: 3, used: 4n },
  { sum: 3n, events: 2, used: 2n },
  { sum: -3n, events: 2, used: -2n },
  { sum: -10n, events: 3, used: -3n },
])('an average of $sum over $events is $used', ({ sum, events, used }) => {
  expect(usedQuantity({ kind: 'average', sum, events })).toBe(used)
})

function canonical(state: CounterState | undefined) {
  return state?.kind === 'unique' ? { kind: 'unique', values: [...state.values].sort() } : state
}
