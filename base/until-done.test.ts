import { expect, test } from 'vitest'
import { systemClock } from '../runtime/process/system-clock.ts'
import { createVirtualClock } from '../test/support/virtual-clock.ts'
import { backoffMs } from './backoff.ts'
import { ABORTED, untilDone } from './until-done.ts'

const backoff = { firstMs: 100, mostMs: 1_000 }

test.each([
  { failures: 1, waitMs: 100 },
  { failures: 2, waitMs: 200 },
  { failures: 4, waitMs: 800 },
  { failures: 5, waitMs: 1_000 },
  { failures: 5_000, waitMs: 1_000 },
])('after $failures failures $waitMs ms', ({ failures, waitMs }) => {
  expect(backoffMs(backoff, failures)).toBe(waitMs)
})

test('tries until it succeeds, later and later', async () => {
  const clock = createVirtualClock(0)
  const tries: number[] = []
  const doing = untilDone({ clock, backoff, signal: new AbortController().signal, onFailure: () => undefined }, async () => {
    tries.push(clock.now())
    if (tries.length < 4) throw new Error('not yet')
    return 'done'
  })
  for (let passed = 0; passed < 800; passed += 100) {
    await systemClock.turn()
    clock.advance(100)
  }
  expect(await doing).toBe('done')
  expect(tries).toEqual([0, 100, 300, 700])
})

test('is given up at once when the signal is aborted, while it waits too', async () => {
  const clock = createVirtualClock(0)
  const aborting = new AbortController()
  const failures: number[] = []
  const options = {
    clock,
    backoff,
    signal: aborting.signal,
    onFailure: ({ failures: count }: { failures: number }) => failures.push(count),
  }
  const doing = untilDone(options, () => Promise.reject(new Error('never')))
  await systemClock.turn()
  aborting.abort()
  expect(await doing).toBe(ABORTED)
  expect(failures).toEqual([1])
  expect(await untilDone(options, async () => 'not even tried')).toBe(ABORTED)
})
