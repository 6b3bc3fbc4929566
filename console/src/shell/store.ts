/** A value outside of React that components may follow. */
export type Store<Value> = {
  readonly get: () => Value
  readonly set: (value: Value) => void
  readonly subscribe: (listener: () => void) => () => void
}

export function createStore<Value>(first: Value): Store<Value> {
  let value = first
  const listeners = new Set<() => void>()
  return {
    get: () => value,
    set(next) {
      value = next
      for (const listener of listeners) listener()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Remembered by this browser, for all tabs that open later. */
export function createKeptStore<Value extends string>(name: string, first: Value): Store<Value> {
  const kept = readKept(name)
  const store = createStore<Value>((kept as Value | null) ?? first)
  return {
    ...store,
    set(value) {
      store.set(value)
      try {
        localStorage.setItem(name, value)
      } catch {
        // A browser that keeps nothing shows the default next time.
      }
    },
  }
}

function readKept(name: string): string | null {
  try {
    return localStorage.getItem(name)
  } catch {
    return null
  }
}
