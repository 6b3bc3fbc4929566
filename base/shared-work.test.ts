import { expect, test } from 'vitest'
import { createSharedWork } from './shared-work.ts'

test('shares what is under way for the same key, and starts anew after it, a failure too', async () => {
  const share = createSharedWork<string, number>()
  let starts = 0
  const start = async () => {
    starts++
    if (starts === 1) throw new Error('away')
    return starts
  }
  const [first, joined] = await Promise.allSettled([share('a', start), share('a', start)])
  expect([first?.status, joined?.status, starts]).toEqual(['rejected', 'rejected', 1])
  expect(await Promise.all([share('a', start), share('a', start), share('b', start)])).toEqual([2, 2, 3])
})
