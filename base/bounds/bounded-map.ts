/** A map of at most `entriesMax` entries, which drops those that were not looked at for longest. */
export type BoundedMap<Key, Value> = {
  get(key: Key): Value | undefined
  set(key: Key, value: Value): void
  clear(): void
}

/**
 * Entries are young or old. An entry that is set or found is young; when half of the room is young, the young ones become the old
 * ones, and the old ones until then are gone. So a hit on a young entry, the usual case, costs one look into a map.
 */
export function createBoundedMap<Key, Value>(entriesMax: number): BoundedMap<Key, Value> {
  const youngMax = Math.max(1, Math.floor(entriesMax / 2))
  let young = new Map<Key, Value>()
  let old = new Map<Key, Value>()

  function set(key: Key, value: Value): void {
    if (young.size >= youngMax && !young.has(key)) {
      old = young
      young = new Map()
    }
    young.set(key, value)
    old.delete(key)
  }

  return {
    get(key) {
      const found = young.get(key)
      if (found !== undefined) return found
      const aged = old.get(key)
      if (aged !== undefined) set(key, aged)
      return aged
    },
    set,
    clear() {
      young = new Map()
      old = new Map()
    },
  }
}
