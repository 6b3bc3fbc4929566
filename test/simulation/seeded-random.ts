/** Randomness that repeats: the same seed gives the same numbers. */
export type SeededRandom = {
  /** In [0, 1). */
  fraction(): number
  /** In [from, to], both whole numbers. */
  integer(from: number, to: number): number
  chance(probability: number): boolean
  pick<Item>(items: readonly Item[]): Item
}

/** mulberry32 (Tommy Ettinger, public domain). */
export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  function fraction(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (from: number, to: number) => from + Math.floor(fraction() * (to - from + 1))
  return {
    fraction,
    integer,
    chance: (probability) => fraction() < probability,
    pick<Item>(items: readonly Item[]) {
      if (items.length === 0) throw new Error('nothing to pick from')
      return items[integer(0, items.length - 1)] as Item
    },
  }
}
