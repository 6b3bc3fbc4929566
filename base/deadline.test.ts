import { expect, test } from 'vitest'
import { createVirtualClock } from '../test/support/virtual-clock.ts'
import { LATE, within } from './deadline.ts'

test('work that is done in time keeps its outcome, a failure too', async () => {
  const clock = createVirtualClock(0)
  expect(await within(clock, 100, Promise.resolve(7))).toBe(7)
  await expect(within(clock, 100, Promise.reject(new Error('disk full')))).rejects.toThrow('disk full')
})

test('work that takes longer is late, and its failure afterwards is nobody’s', async () => {
  const clock = createVirtualClock(0)
  const work = Promise.withResolvers<never>()
  const outcome = within(clock, 100, work.promise)
  clock.advance(100)
  expect(await outcome).toBe(LATE)
  work.reject(new Error('too late to matter'))
  await Promise.resolve()
})
