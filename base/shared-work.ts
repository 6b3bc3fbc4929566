/** Work by key, at most one at a time for each key: a caller who asks meanwhile has the outcome of the work under way. */
export type SharedWork<Key, Value> = (key: Key, start: () => Promise<Value>) => Promise<Value>

export function createSharedWork<Key, Value>(): SharedWork<Key, Value> {
  const underWay = new Map<Key, Promise<Value>>()
  return (key, start) => {
    const known = underWay.get(key)
    if (known !== undefined) return known
    const started = start().finally(() => underWay.delete(key))
    underWay.set(key, started)
    return started
  }
}
