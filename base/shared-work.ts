/** Work by key, of which one is under way at most: whoever asks for it meanwhile has the outcome of that one. */
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
