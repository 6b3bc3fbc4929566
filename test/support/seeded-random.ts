/** Randomness that a seed repeats. `fork` gives each part of a run its own, so that one more draw in a part does not change the others. */
export type SeededRandom = {
  fork(name: string): SeededRandom
  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number
  chance(probability: number): boolean
  pick<Item>(items: readonly Item[]): Item
  shuffled<Item>(items: readonly Item[]): Item[]
}

export function createSeededRandom(seed: number | string): SeededRandom {
  const name = String(seed)
  const next = splitMix32(hashOf(name))
  const below = (bound: number) => Math.floor(next() * bound)
  return {
    fork: (part) => createSeededRandom(`${name}/${part}`),
    below,
    between: (min, max) => min + below(max - min + 1),
    chance: (probability) => next() < probability,
    pick(items) {
      const item = items[below(items.length)]
      if (item === undefined) throw new Error('there is nothing to pick from')
      return item
    },
    shuffled(items) {
      const rest = [...items]
      const shuffled = []
      while (rest.length > 0) shuffled.push(...rest.splice(below(rest.length), 1))
      return shuffled
    },
  }
}

/** Source: Guy Steele, Doug Lea, Christine Flood, "Fast Splittable Pseudorandom Number Generators", with the constants of murmur3. */
function splitMix32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}
