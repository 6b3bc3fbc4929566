import { expect, test } from 'vitest'
import { createFairTurns, type GiveBack } from './fair-turns.ts'

function turnsOf(options: Parameters<typeof createFairTurns>[0]) {
  const turns = createFairTurns(options)
  const started: string[] = []
  const held = new Map<string, GiveBack>()
  const take = (name: string, id: string) =>
    turns.take(name, (giveBack) => {
      started.push(id)
      held.set(id, giveBack)
    })
  return { started, take, end: (id: string) => held.get(id)?.() }
}

test('a caller of many turns waits behind its own, and another has the next turn', () => {
  const { started, take, end } = turnsOf({ atOnceMax: 2, ofOneMax: 1, waitingMax: 10 })
  for (const id of ['a1', 'a2', 'a3']) take('a', id)
  take('b', 'b1')
  take('b', 'b2')
  expect(started).toEqual(['a1', 'b1'])
  take('c', 'c1')
  end('a1')
  expect(started).toEqual(['a1', 'b1', 'c1'])
  end('c1')
  expect(started.at(-1)).toBe('a2')
  end('b1')
  expect(started.at(-1)).toBe('b2')
})

test('turns and waiting calls of one name are bounded, and another name is let in nevertheless', () => {
  const { started, take, end } = turnsOf({ atOnceMax: 4, ofOneMax: 2, waitingMax: 3 })
  expect(['a1', 'a2', 'a3', 'a4', 'a5', 'a6'].map((id) => take('a', id))).toEqual([true, true, true, true, true, false])
  expect(started).toEqual(['a1', 'a2'])
  expect(take('b', 'b1')).toBe(true)
  expect(started).toEqual(['a1', 'a2', 'b1'])
  end('a1')
  end('a1')
  expect(started).toEqual(['a1', 'a2', 'b1', 'a3'])
  expect(take('a', 'a7')).toBe(true)
})

test('every turn that was taken comes, and none comes twice', () => {
  const { started, take, end } = turnsOf({ atOnceMax: 3, ofOneMax: 2, waitingMax: 100 })
  const asked = Array.from({ length: 90 }, (_, index) => ({ name: `tenant-${index % 7}`, id: `${index}` }))
  for (const { name, id } of asked) take(name, id)
  for (let at = 0; at < started.length; at++) end(started[at] ?? '')
  expect(new Set(started).size).toBe(started.length)
  expect(started).toHaveLength(asked.length)
})
