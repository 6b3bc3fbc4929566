import { expect, test } from 'vitest'
import { createGatherer } from './gatherer.ts'

/** Work that is ended by hand, in the order in which it began. */
function workByHand() {
  const begun: PromiseWithResolvers<void>[] = []
  const gatherer = createGatherer(() => {
    const work = Promise.withResolvers<void>()
    begun.push(work)
    return work.promise
  })
  return { begun, gatherer }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('runs one at a time; what is asked for meanwhile shares the next run', async () => {
  const { begun, gatherer } = workByHand()
  const first = gatherer.run()
  await turn()
  const shared = [gatherer.run(), gatherer.run(), gatherer.run()]
  expect(new Set(shared).size).toBe(1)
  expect(begun).toHaveLength(1)
  begun[0]?.resolve()
  await first
  await turn()
  expect(begun).toHaveLength(2)
  expect(gatherer.isBusy()).toBe(true)
  begun[1]?.resolve()
  await Promise.all(shared)
  expect([gatherer.isBusy(), gatherer.isGathering()]).toEqual([false, false])
})

test('a caller who asks while a run is under way waits for the next one, as this one may have begun too early', async () => {
  const { begun, gatherer } = workByHand()
  const first = gatherer.run()
  await turn()
  let isDone = false
  const second = gatherer.run().then(() => (isDone = true))
  begun[0]?.resolve()
  await first
  await turn()
  expect(isDone).toBe(false)
  begun[1]?.resolve()
  await second
})

test('a run that fails rejects for all who shared it, and the next one runs nevertheless', async () => {
  const { begun, gatherer } = workByHand()
  const failing = gatherer.run()
  await turn()
  const next = gatherer.run()
  begun[0]?.reject(new Error('disk full'))
  await expect(failing).rejects.toThrow('disk full')
  await turn()
  begun[1]?.resolve()
  await next
  await gatherer.settled()
})
