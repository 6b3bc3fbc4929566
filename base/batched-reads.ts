import type { Clock } from './clock.ts'
import { Fault } from './fault.ts'
import { invariant } from './invariant.ts'

/**
 * Reads that are asked for at the same time share one: where most of a read's price is that it is one, a hundred together cost
 * little more than one alone. While a read of a group is under way, what comes for that group gathers for the next.
 */
export type BatchedReads<Item, Value> = {
  /** Items of one group may share a read. Rejects with what its read failed with. */
  read(group: string, item: Item): Promise<Value>
}

export type BatchedReadsOptions<Item, Value> = {
  /** Answers each item, in their order. */
  readonly read: (items: readonly Item[]) => Promise<readonly Value[]>
  /** In one read. */
  readonly itemsMax: number
  /** Of all groups, waiting for their read; one more is refused for now. */
  readonly waitingMax: number
  readonly clock: Clock
}

/**
 * How long a read waits at most for those who had their answer from the one before and may ask on; a lone caller never waits.
 * Of what a read takes, waiting half as long is worth it as soon as two share.
 */
const GATHER_MS_MAX = 10
const GATHER_SHARE = 0.5

type Waiting<Item, Value> = {
  readonly item: Item
  readonly resolve: (value: Value) => void
  readonly reject: (error: unknown) => void
}

type Group<Item, Value> = { readonly waiting: Waiting<Item, Value>[]; onGathered: (() => void) | null; expected: number }

export function createBatchedReads<Item, Value>(options: BatchedReadsOptions<Item, Value>): BatchedReads<Item, Value> {
  const { read, itemsMax, waitingMax, clock } = options
  const groups = new Map<string, Group<Item, Value>>()
  let waitingCount = 0

  async function serve(name: string, group: Group<Item, Value>): Promise<void> {
    // What is asked for in one turn of the event loop is together from the first.
    await clock.turn()
    while (group.waiting.length > 0) {
      const some = group.waiting.splice(0, itemsMax)
      waitingCount -= some.length
      const startedMs = clock.now()
      await answer(some)
      group.expected = Math.min(some.length + group.waiting.length, itemsMax)
      if (group.expected > 1) await gathered(group, Math.min((clock.now() - startedMs) * GATHER_SHARE, GATHER_MS_MAX), clock)
    }
    groups.delete(name)
  }

  /** Settles each, and never rejects. */
  async function answer(some: readonly Waiting<Item, Value>[]): Promise<void> {
    try {
      const values = await read(some.map(({ item }) => item))
      invariant(values.length === some.length, 'a read answers every item')
      for (const [at, { resolve }] of some.entries()) resolve(values[at] as Value)
    } catch (error) {
      const isTheWorlds = error instanceof Fault && error.canRetry
      if (some.length === 1 || isTheWorlds) for (const { reject } of some) reject(error)
      // One of them may be to blame: each is read by itself, so that the others have their answer.
      else for (const each of some) await answer([each])
    }
  }

  return {
    read: (name, item) =>
      new Promise((resolve, reject) => {
        if (waitingCount >= waitingMax) return reject(tooManyWaiting(waitingMax))
        waitingCount++
        const known = groups.get(name)
        const group = known ?? { waiting: [], onGathered: null, expected: 1 }
        group.waiting.push({ item, resolve, reject })
        if (group.waiting.length >= group.expected) group.onGathered?.()
        if (known !== undefined) return
        groups.set(name, group)
        void serve(name, group)
      }),
  }
}

/** Resolves when as many as expected wait, or the time is over. */
async function gathered<Item, Value>(group: Group<Item, Value>, withinMs: number, clock: Clock): Promise<void> {
  if (group.waiting.length >= group.expected) return
  const over = new AbortController()
  group.onGathered = () => over.abort()
  await clock.sleep(withinMs, over.signal)
  group.onGathered = null
}

function tooManyWaiting(waitingMax: number): Fault {
  return new Fault('too_many_reads', `${waitingMax} reads wait already, which is the limit`, {
    canRetry: true,
    publicText: 'Too many requests of this kind are waiting. Try again shortly.',
  })
}
