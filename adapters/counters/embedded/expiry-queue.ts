import type { InstantMs } from '../../../domain/identity.ts'

/** An item that waits for an instant; `place` belongs to the queue and is -1 outside of it. */
export type Expiring = { readonly expiresAtMs: InstantMs; place: number }

/**
 * A binary heap with the next item to expire in front. Every item knows its place, so that one that ends early is taken out at
 * once and memory is bounded by the items under way.
 */
export class ExpiryQueue<Item extends Expiring> {
  readonly #items: Item[] = []

  add(item: Item): void {
    this.#items.push(item)
    this.#raise(item, this.#items.length - 1)
  }

  remove(item: Item): void {
    const { place } = item
    const last = this.#items.pop()
    item.place = -1
    if (last === undefined || last === item) return
    this.#raise(last, place)
    this.#sink(last, last.place)
  }

  /** Takes out the first item that is due. */
  takeDue(nowMs: InstantMs): Item | undefined {
    const [first] = this.#items
    if (first === undefined || first.expiresAtMs > nowMs) return undefined
    this.remove(first)
    return first
  }

  #raise(item: Item, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.#items[above]
      if (parent === undefined || parent.expiresAtMs <= item.expiresAtMs) break
      this.#put(parent, place)
      place = above
    }
    this.#put(item, place)
  }

  #sink(item: Item, from: number): void {
    let place = from
    for (;;) {
      const left = 2 * place + 1
      const right = left + 1
      let child = this.#items[left]
      if (child === undefined) break
      const other = this.#items[right]
      if (other !== undefined && other.expiresAtMs < child.expiresAtMs) child = other
      if (child.expiresAtMs >= item.expiresAtMs) break
      const below = child.place
      this.#put(child, place)
      place = below
    }
    this.#put(item, place)
  }

  #put(item: Item, place: number): void {
    this.#items[place] = item
    item.place = place
  }
}
