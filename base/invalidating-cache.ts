import { createBoundedMap } from './bounds/bounded-map.ts'

/** Copies of changeable values, by group (a tenant) and key. */
export type InvalidatingCache<Group extends string, Value> = {
  get(group: Group, key: string): Value | undefined
  /** The value loaded last, although it may have changed since. */
  lastKnown(group: Group, key: string): Value | undefined
  /** Joins a load of the same key that is under way and began after the last change. */
  load(group: Group, key: string): Promise<Value>
  forget(group: Group, key: string): void
  forgetGroup(group: Group): void
  forgetAll(): void
}

/**
 * Drops the longest unused values, half of them at once, so that a hit does not update an order. A load that was overtaken by a
 * change answers those who waited before the change, and is not kept.
 */
export function createInvalidatingCache<Group extends string, Value>(
  entriesMax: number,
  fetch: (group: Group, key: string) => Promise<Value>,
): InvalidatingCache<Group, Value> {
  const entries = createBoundedMap<string, { readonly value: Value; readonly epoch: number }>(entriesMax)
  const loading = new Map<string, { readonly promise: Promise<Value>; readonly epoch: number }>()
  // A change of a whole group, or of everything, starts a new epoch: entries and loads of an older one count no more.
  const epochs = new Map<Group, number>()
  let epochOfAll = 0
  const epochOf = (group: Group) => epochOfAll + (epochs.get(group) ?? 0)
  const nameOf = (group: Group, key: string) => `${group}\0${key}`

  return {
    get(group, key) {
      const entry = entries.get(nameOf(group, key))
      return entry === undefined || entry.epoch !== epochOf(group) ? undefined : entry.value
    },
    lastKnown: (group, key) => entries.get(nameOf(group, key))?.value,
    load(group, key) {
      const name = nameOf(group, key)
      const epoch = epochOf(group)
      const underWay = loading.get(name)
      if (underWay !== undefined && underWay.epoch === epoch) return underWay.promise
      const started = { promise: fetch(group, key), epoch }
      loading.set(name, started)
      const isCurrent = () => loading.get(name) === started && epochOf(group) === epoch
      started.promise.then(
        (value) => {
          if (isCurrent()) entries.set(name, { value, epoch })
          if (loading.get(name) === started) loading.delete(name)
        },
        () => {
          if (loading.get(name) === started) loading.delete(name)
        },
      )
      return started.promise
    },
    forget(group, key) {
      const name = nameOf(group, key)
      const entry = entries.get(name)
      if (entry !== undefined) entries.set(name, { ...entry, epoch: FORGOTTEN })
      loading.delete(name)
    },
    forgetGroup(group) {
      epochs.set(group, (epochs.get(group) ?? 0) + 1)
    },
    forgetAll() {
      epochOfAll++
    },
  }
}

/** Before every epoch. */
const FORGOTTEN = -1
