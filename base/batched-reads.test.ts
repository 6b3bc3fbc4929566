import { describe, expect, test } from 'vitest'
import type { InstantMs } from '../domain/identity.ts'
import { RefusalError, refuse } from '../domain/refusal.ts'
import { systemClock } from '../runtime/process/system-clock.ts'
import { createBatchedReads } from './batched-reads.ts'
import { Fault } from './fault.ts'

const clock = { ...systemClock, now: () => 0 as InstantMs }

/** Reads that end when the test says so, in the order in which they began. */
function heldReads(about: { readonly itemsMax?: number; readonly waitingMax?: number } = {}) {
  const begun: { readonly items: readonly string[]; end(outcome?: Error): void }[] = []
  const heard: (() => void)[] = []
  const reads = createBatchedReads<string, string>({
    read: (items) =>
      new Promise((resolve, reject) => {
        const end = (outcome?: Error) => (outcome === undefined ? resolve(items.map((item) => `${item}!`)) : reject(outcome))
        begun.push({ items, end })
        for (const hear of heard.splice(0)) hear()
      }),
    itemsMax: about.itemsMax ?? 100,
    waitingMax: about.waitingMax ?? 100,
    clock,
  })
  /** The nth read, once it has begun. */
  const nth = async (n: number) => {
    for (;;) {
      const read = begun[n]
      if (read !== undefined) return read
      await new Promise<void>((resolve) => heard.push(resolve))
    }
  }
  return { reads, begun, nth }
}

describe('batched reads', () => {
  test('what is asked for together is one read, and each has its own answer', async () => {
    const { reads, nth, begun } = heldReads()
    const answers = Promise.all(['a', 'b', 'a'].map((item) => reads.read('g', item)))
    const first = await nth(0)
    expect(first.items).toEqual(['a', 'b', 'a'])
    first.end()
    expect(await answers).toEqual(['a!', 'b!', 'a!'])
    expect(begun).toHaveLength(1)
  })

  test('what comes while a read is under way is the next one, as many at a time as it may hold', async () => {
    const { reads, nth, begun } = heldReads({ itemsMax: 2 })
    const first = reads.read('g', 'a')
    const underWay = await nth(0)
    const later = ['b', 'c', 'd'].map((item) => reads.read('g', item))
    expect(begun).toHaveLength(1)
    underWay.end()
    expect(await first).toBe('a!')
    for (const [n, items] of [
      [1, ['b', 'c']],
      [2, ['d']],
    ] as const) {
      const read = await nth(n)
      expect(read.items).toEqual(items)
      read.end()
    }
    expect(await Promise.all(later)).toEqual(['b!', 'c!', 'd!'])
  })

  test('groups do not wait for each other, and one that ended begins anew', async () => {
    const { reads, nth } = heldReads()
    const slow = reads.read('slow', 'a')
    const held = await nth(0)
    const quick = reads.read('quick', 'b')
    const other = await nth(1)
    expect(other.items).toEqual(['b'])
    other.end()
    expect(await quick).toBe('b!')
    const again = reads.read('quick', 'c')
    const next = await nth(2)
    next.end()
    expect(await again).toBe('c!')
    held.end()
    expect(await slow).toBe('a!')
  })

  test('of a read that failed by what it asked for, each is read by itself: the one to blame fails alone', async () => {
    const asked: (readonly string[])[] = []
    const refusal = new RefusalError(refuse('too_many_rows', { rowsMax: 1 }))
    const reads = createBatchedReads<string, string>({
      read: async (items) => {
        asked.push(items)
        if (items.includes('bad')) throw refusal
        return items.map((item) => `${item}!`)
      },
      itemsMax: 100,
      waitingMax: 100,
      clock,
    })
    const answers = await Promise.allSettled(['a', 'bad', 'b'].map((item) => reads.read('g', item)))
    expect(answers).toEqual([
      { status: 'fulfilled', value: 'a!' },
      { status: 'rejected', reason: refusal },
      { status: 'fulfilled', value: 'b!' },
    ])
    expect(asked).toEqual([['a', 'bad', 'b'], ['a'], ['bad'], ['b']])
  })

  test('a store that is away fails all of them at once, and the next read is another try', async () => {
    const { reads, nth, begun } = heldReads()
    const fault = new Fault('usage_store_unavailable', 'away', { canRetry: true, publicText: 'away' })
    const answers = Promise.allSettled(['a', 'b'].map((item) => reads.read('g', item)))
    ;(await nth(0)).end(fault)
    expect(await answers).toEqual([
      { status: 'rejected', reason: fault },
      { status: 'rejected', reason: fault },
    ])
    expect(begun).toHaveLength(1)
    const again = reads.read('g', 'c')
    ;(await nth(1)).end()
    expect(await again).toBe('c!')
  })

  test('one more than may wait is refused for now, whatever its group, until others have their read', async () => {
    const { reads, nth } = heldReads({ waitingMax: 2 })
    const first = reads.read('g', 'a')
    const underWay = await nth(0)
    const waiting = [reads.read('g', 'b'), reads.read('g', 'c')]
    await expect(reads.read('other', 'd')).rejects.toMatchObject({ code: 'too_many_reads', canRetry: true })
    underWay.end()
    const next = await nth(1)
    const accepted = reads.read('other', 'd')
    next.end()
    ;(await nth(2)).end()
    expect(await Promise.all([first, ...waiting, accepted])).toEqual(['a!', 'b!', 'c!', 'd!'])
  })

  test('an owner has half of the bound at most, is told so, and another is let in', async () => {
    const { reads, nth } = heldReads({ waitingMax: 8, itemsMax: 4 })
    const first = reads.read('hog', 'first', 'hog')
    const underWay = await nth(0)
    const waiting = ['a', 'b', 'c', 'd'].map((item) => reads.read('hog', item, 'hog'))
    await expect(reads.read('hog 2', 'e', 'hog')).rejects.toMatchObject({
      code: 'too_many_reads',
      publicText: expect.stringContaining('4 reads of this tenant wait'),
    })
    const others = [1, 2].map((n) => reads.read(`other ${n}`, 'x', `other ${n}`))
    underWay.end()
    for (const n of [1, 2, 3]) (await nth(n)).end()
    expect(await Promise.all([first, ...waiting, ...others])).toHaveLength(7)
    const again = reads.read('hog', 'f', 'hog')
    ;(await nth(4)).end()
    expect(await again).toBe('f!')
  })
})
