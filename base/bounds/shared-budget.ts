import type { Clock } from '../clock.ts'

/**
 * Units that many holders share, bounded in all and divided fairly. A holder stands in levels, such as tenant, key, connection. A
 * request is granted while the sum of four figures stays within the bound: the units held by all, by the taker's tenant, by its
 * key and by its connection. So with three levels one connection gets at most a quarter of the bound, one key a third, one tenant
 * half. Many holders at their limit still leave as much as each of them holds, and a small holder is served while others are
 * refused.
 */
export type SharedBudget<Level extends string> = {
  held(): number
  /** The most that one holder of the innermost level can ever hold. */
  readonly eachMax: number
  /** Opens an account with one name per level, the outermost first. It takes memory until it is closed. */
  open(holders: { readonly [Each in Level]: unknown }): BudgetAccount<Level>
}

export type BudgetAccount<Level extends string> = {
  /** Undefined when the units were taken, otherwise why they were not. When nobody holds anything, a request of any size is granted. */
  tryTake(units: number): Shortage<Level> | undefined
  /** Waits until there is room, first come first served among those that would fit; answers the shortage after `waitMsMax`. */
  take(units: number, waitMsMax: number): Promise<Shortage<Level> | undefined>
  give(units: number): void
  /** Gives back all units still held; later calls of `give` have no effect. */
  close(): void
}

/** The level whose share is used up: what it holds, and what it may hold while others hold what they do. */
export type Shortage<Level extends string> = { readonly per: Level | 'server'; readonly held: number; readonly limit: number }

export function createSharedBudget<const Level extends string>(options: {
  readonly unitsMax: number
  /** The outermost first. */
  readonly levels: readonly Level[]
  /** How many may wait at once, shared as the units are; one more is refused at once. */
  readonly waitersMax: number
  readonly clock: Pick<Clock, 'after'>
}): SharedBudget<Level> {
  const { unitsMax, levels } = options
  const server: Share = { outer: null, name: null, held: 0, waiters: 0, accounts: 0, inner: null }
  const waiting = new Set<{ readonly tryTake: () => boolean; readonly grant: () => void }>()

  function open(holders: { readonly [Each in Level]: unknown }): BudgetAccount<Level> {
    let share = server
    for (const level of levels) share = innerShare(share, holders[level])
    const leaf = share
    let heldByAccount = 0
    let isClosed = false

    function tryTake(units: number): Shortage<Level> | undefined {
      if (withMore(leaf, 'held', units) > unitsMax && server.held > 0) return shortageOf(leaf)
      add(leaf, 'held', units)
      heldByAccount += units
      return undefined
    }

    function give(units: number): void {
      if (isClosed) return
      add(leaf, 'held', -units)
      heldByAccount -= units
      for (const waiter of waiting) if (waiter.tryTake()) waiter.grant()
    }

    return {
      tryTake,
      take(units, waitMsMax) {
        const shortage = tryTake(units)
        if (shortage === undefined || withMore(leaf, 'waiters', 1) > options.waitersMax) return Promise.resolve(shortage)
        return new Promise((resolve) => {
          const end = (found: Shortage<Level> | undefined) => {
            cancel()
            waiting.delete(waiter)
            add(leaf, 'waiters', -1)
            resolve(found)
          }
          const waiter = { tryTake: () => !isClosed && tryTake(units) === undefined, grant: () => end(undefined) }
          const cancel = options.clock.after(waitMsMax, () => end(shortageOf(leaf)))
          waiting.add(waiter)
          add(leaf, 'waiters', 1)
        })
      },
      give,
      close() {
        if (isClosed) return
        if (heldByAccount > 0) give(heldByAccount)
        isClosed = true
        forget(leaf)
      },
    }
  }

  /** Among the levels of the taker, the innermost one that holds most of what is held around it. */
  function shortageOf(leaf: Share): Shortage<Level> {
    const path: Share[] = []
    for (let share: Share | null = leaf; share !== null; share = share.outer) path.unshift(share)
    let depth = 0
    while (depth < levels.length && 2 * heldAt(path, depth + 1) >= heldAt(path, depth)) depth++
    const held = heldAt(path, depth)
    const room = Math.max(0, Math.floor((unitsMax - withMore(leaf, 'held', 0)) / path.length))
    return { per: levels[depth - 1] ?? 'server', held, limit: held + room }
  }

  return { held: () => server.held, eachMax: Math.floor(unitsMax / (levels.length + 1)), open }
}

function heldAt(path: readonly Share[], depth: number): number {
  return path[depth]?.held ?? 0
}

/** What one holder and all within it hold. It exists while an account within it is open. */
type Share = {
  readonly outer: Share | null
  readonly name: unknown
  held: number
  waiters: number
  accounts: number
  inner: Map<unknown, Share> | null
}

function innerShare(outer: Share, name: unknown): Share {
  outer.inner ??= new Map()
  let share = outer.inner.get(name)
  if (share === undefined) {
    share = { outer, name, held: 0, waiters: 0, accounts: 0, inner: null }
    outer.inner.set(name, share)
  }
  share.accounts++
  return share
}

function forget(leaf: Share): void {
  for (let share: Share = leaf; share.outer !== null; share = share.outer) {
    if (--share.accounts === 0) share.outer.inner?.delete(share.name)
  }
}

function add(leaf: Share, what: 'held' | 'waiters', more: number): void {
  for (let share: Share | null = leaf; share !== null; share = share.outer) share[what] += more
}

/** The figure that the bound applies to: the sum over every level, as it would be with `more`. */
function withMore(leaf: Share, what: 'held' | 'waiters', more: number): number {
  let sum = 0
  for (let share: Share | null = leaf; share !== null; share = share.outer) sum += share[what] + more
  return sum
}
