/** Remembers 32-bit hashes without an object for each: the older half is dropped when the younger half is full. */
export type HashSet = { has(hash: number): boolean; add(hash: number): void }

/** `slots`, a power of two, are allocated twice, 4 bytes each; at most half of them are filled. */
export function createHashSet(slots: number): HashSet {
  const mask = slots - 1
  let young = new Uint32Array(slots)
  let old = new Uint32Array(slots)
  let size = 0

  /** The slot of the hash, or the free slot where it would go. */
  function slotOf(table: Uint32Array, hash: number): number {
    let slot = hash & mask
    while (table[slot] !== 0 && table[slot] !== hash) slot = (slot + 1) & mask
    return slot
  }

  function add(hash: number): void {
    const slot = slotOf(young, hash || ONE_FOR_ZERO)
    if (young[slot] !== 0) return
    young[slot] = hash || ONE_FOR_ZERO
    if (++size < slots / 2) return
    const emptied = old
    old = young
    young = emptied.fill(0)
    size = 0
  }

  return {
    add,
    has(hash) {
      const wanted = hash || ONE_FOR_ZERO
      if (young[slotOf(young, wanted)] !== 0) return true
      if (old[slotOf(old, wanted)] === 0) return false
      add(wanted)
      return true
    },
  }
}

/** 0 marks a free slot. */
const ONE_FOR_ZERO = 1
