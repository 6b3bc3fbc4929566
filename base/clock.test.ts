import { describe, expect, test } from 'vitest'
import { systemClock } from '../runtime/process/system-clock.ts'
import { createVirtualClock, type VirtualClock } from '../test/support/virtual-clock.ts'

/** Resolves when all work under way has gone as far as it can without the clock. */
const settled = () => systemClock.turn()

/** Moves the clock on in small steps, so that no waiting work is jumped over. */
async function pass(clock: VirtualClock, ms: number, stepMs = 10): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs)
    await settled()
  }
}

describe('sleep', () => {
  test('ends when its time has come, and not before', async () => {
    const clock = createVirtualClock(0)
    let isAwake = false
    void clock.sleep(30 * 86_400_000).then(() => (isAwake = true))
    clock.advance(30 * 86_400_000 - 1)
    await settled()
    expect(isAwake).toBe(false)
    clock.advance(1)
    await settled()
    expect(isAwake).toBe(true)
  })

  test.each([
    { when: 'before', abort: (aborting: AbortController) => aborting.abort(), later: false },
    { when: 'meanwhile', abort: () => undefined, later: true },
  ])('is ended by a signal aborted $when, without an error and without a timer left', async ({ abort, later }) => {
    for (const clock of [createVirtualClock(0), systemClock]) {
      const aborting = new AbortController()
      abort(aborting)
      const sleeping = clock.sleep(3_600_000, aborting.signal)
      if (later) aborting.abort()
      await sleeping
    }
  })
})

describe('every', () => {
  test('repeats until it is ended', async () => {
    const clock = createVirtualClock(0)
    let calls = 0
    const end = clock.every(100, () => void calls++)
    await pass(clock, 350)
    expect(calls).toBe(3)
    end()
    await pass(clock, 500)
    expect(calls).toBe(3)
  })

  test('waits for work that takes longer than the interval', async () => {
    const clock = createVirtualClock(0)
    let [begun, done] = [0, 0]
    clock.every(100, async () => {
      begun++
      expect(begun - done).toBe(1)
      await clock.sleep(250)
      done++
    })
    await pass(clock, 1_000)
    expect([begun, done]).toEqual([3, 2])
  })

  test('begins nothing more when it is ended from its own work', async () => {
    const clock = createVirtualClock(0)
    let calls = 0
    const end = clock.every(10, () => {
      calls++
      end()
    })
    await pass(clock, 100)
    expect(calls).toBe(1)
  })
})

test('after can be called off, also by what is due at the same moment', () => {
  const clock = createVirtualClock(0)
  const called: string[] = []
  const cancels = [clock.after(10, () => called.push('first') && cancels[1]?.()), clock.after(10, () => called.push('second'))]
  clock.advance(10)
  expect(called).toEqual(['first'])
})
