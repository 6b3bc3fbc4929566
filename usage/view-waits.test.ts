import { describe, expect, test } from 'vitest'
import type { Offset, Partition } from '../domain/identity.ts'
import { createViewWaits } from './view-waits.ts'

describe('a wait for what the log has', () => {
  /** A log of 7 records in partition 0 and 3 in partition 1, and views that come nearer by a record with every sleep. */
  function open(views: { counted: [number, number]; stored: [number, number] }) {
    const log: [number, number] = [7, 3]
    const slept: number[] = []
    const nearer = (positions: [number, number]) => {
      positions[0]++
      positions[1]++
    }
    const waits = createViewWaits({
      eventLog: { partitions: 2, range: async (partition) => ({ start: 0 as Offset, next: log[partition as 0 | 1] as Offset }) },
      counters: { position: async (partition) => views.counted[partition as 0 | 1] as Offset },
      usageStore: { positions: async () => new Map(views.stored.map((next, partition) => [partition as Partition, next as Offset])) },
      clock: {
        async sleep(ms) {
          slept.push(ms)
          nearer(views.counted)
          nearer(views.stored)
          // What is appended meanwhile is not waited for.
          log[1] += 1_000
        },
      },
    })
    return { waits, sleptMs: () => slept.reduce((sum, ms) => sum + ms, 0), views }
  }

  test.each(['counted', 'stored'] as const)('ends once every partition is %s up to where the log was', async (view) => {
    const { waits, views } = open({ counted: [5, 3], stored: [5, 3] })
    await waits[view](10_000)
    expect(views[view]).toEqual([7, 5])
  })

  test.each([
    { waitMs: 0, at: 'at once' },
    { waitMs: 30, at: 'when its time is over' },
    { waitMs: 10_000, at: 'when its time is over' },
  ])('of $waitMs ms for a view that stands still ends $at', async ({ waitMs }) => {
    const { waits, sleptMs } = open({ counted: [-1e6, 0], stored: [-1e6, 0] })
    await waits.counted(waitMs)
    expect(sleptMs()).toBe(waitMs)
  })
})
