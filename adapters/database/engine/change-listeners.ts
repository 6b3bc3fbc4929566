import type { Change, ChangeFeed, ChangeListener, Topic } from '../changes.ts'

/** The change listeners of this process. */
export type ChangeListeners = {
  readonly subscribe: ChangeFeed['subscribe']
  tell(changes: readonly Change[]): void
  tellMissed(): void
}

export function createChangeListeners(): ChangeListeners {
  const listeners: ChangeListener<Topic>[] = []
  return {
    // A listener is called only for its own topics.
    subscribe: (listener) => void listeners.push(listener as unknown as ChangeListener<Topic>),
    tell(changes) {
      for (const change of changes) {
        for (const listener of listeners) if (listener.topics.includes(change.topic)) listener.changed(change)
      }
    },
    tellMissed() {
      for (const listener of listeners) listener.missed()
    },
  }
}
