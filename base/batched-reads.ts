import type { Clock } from './clock.ts'
import { Fault } from './fault.ts'
import { invariant } from './invariant.ts'

/**
 * Reads that are asked for at the same time share one query, as a hundred together cost little more than one alone. While a read
 * of a group is under way, items of that group gather for the next read.
 */
export type BatchedReads<Item, Value> = {
  /**
   * Items of one group may share a read. Rejects with what its read failed with. With an owner the places to wait are shared: an
   * item is let in while all that wait and those of its owner, added up, are fewer than may. So one owner gets half of them at
   * most, and owners at their limit still leave room for another.
   */
  read(group: string, item: Item, owner?: string): Promise<Value>
}

export type BatchedReadsOptions<Item, Value> = {
  /** Answers the items in their order. */
  readonly read: (items: readonly Item[]) => Promise<readonly Value[]>
  /** Items in one read. */
  readonly itemsMax: number
  /** Items waiting for their read, over all groups; one more is refused for now. */
  readonly waitingMax: number
  readonly clock: Clock
}

/**
 * The longest that a read waits for callers who had their answer from the read before and may ask again; a lone caller never
 * waits. Waiting up to half as long as a read takes pays as soon as two callers share it.
 */
const GATHER_MS_MAX = 10
const GATHER_SHARE = 0.5

type Waiting<Item, Value> = {
  readonly item: Item
  readonly owner: string | undefined
  readonly resolve: (value: Value) => void
  readonly reject: (error: unknown) => void
}

type Group<Item, Value> = { readonly waiting: Waiting<Item, Value>[]; onGathered: (() => void) | null; expected: number }

export function createBatchedReads<Item, Value>(options: BatchedReadsOptions<Item, Value>): BatchedReads<Item, Value> {
  const { read, itemsMax, waitingMax, clock } = options
  const groups = new Map<string, Group<Item, Value>>()
  let waitingCount = 0
  const waitingOf = new Map<string, number>()

  function countWaiting(owner: string | undefined, more: 1 | -1): void {
    waitingCount += more
    if (owner === undefined) return
    const ofOwner = (waitingOf.get(owner) ?? 0) + more
    if (ofOwner === 0) waitingOf.delete(owner)
    else waitingOf.set(owner, ofOwner)
  }

  async function serve(name: string, group: Group<Item, Value>): Promise<void> {
    // Items that are asked for in one turn of the event loop share the first read already.
    await clock.turn()
    while (group.waiting.length > 0) {
      const some = group.waiting.splice(0, itemsMax)
      for (const { owner } of some) countWaiting(owner, -1)
      const startedMs = clock.now()
      await answer(some)
      group.expected = Math.min(some.length + group.waiting.length, itemsMax)
      if (group.expected > 1) await gathered(group, Math.min((clock.now() - startedMs) * GATHER_SHARE, GATHER_MS_MAX), clock)
    }
    groups.delete(name)
  }

  /** Settles each item; never rejects. */
  async function answer(some: readonly Waiting<Item, Value>[]): Promise<void> {
    try {
      const values = await read(some.map(({ item }) => item))
      invariant(values.length === some.length, 'a read answers every item')
      for (const [at, { resolve }] of some.entries()) resolve(values[at] as Value)
    } catch (error) {
      const isTheWorlds = error instanceof Fault && error.canRetry
      if (some.length === 1 || isTheWorlds) for (const { reject } of some) reject(error)
      // One item may be to blame: each is read by itself, so that the others have their answer.
      else for (const each of some) await answer([each])
    }
  }

  return {
    read: (name, item, owner) =>
      new Promise((resolve, reject) => {
        const ofOwner = owner === undefined ? 0 : (waitingOf.get(owner) ?? 0)
        if (waitingCount + ofOwner >= waitingMax) return reject(tooManyWaiting(waitingCount, ofOwner, waitingMax))
        countWaiting(owner, 1)
        const known = groups.get(name)
        const group = known ?? { waiting: [], onGathered: null, expected: 1 }
        group.waiting.push({ item, owner, resolve, reject })
        if (group.waiting.length >= group.expected) group.onGathered?.()
        if (known !== undefined) return
        groups.set(name, group)
        void serve(name, group)
      }),
  }
}

/** Resolves when as many items as expected wait, or when the time is over. */
async function gathered<Item, Value>(group: Group<Item, Value>, withinMs: number, clock: Clock): Promise<void> {
  if (group.waiting.length >= group.expected) return
  const over = new AbortController()
  group.onGathered = () => over.abort()
  await clock.sleep(withinMs, over.signal)
  group.onGathered = null
}

/** Says whose places are used up: the owner's, where most of those that wait are its own. */
function tooManyWaiting(waiting: number, ofOwner: number, waitingMax: number): Fault {
  const text =
    2 * ofOwner >= waiting && ofOwner > 0
      ? `${ofOwner} reads of this tenant wait, as many as may while ${waiting} of all tenants do; at most ${waitingMax} may wait.`
      : `${waiting} reads wait, and at most ${waitingMax} may.`
  return new Fault('too_many_reads', text, { canRetry: true, publicText: `${text} Try again after Retry-After.` })
}
