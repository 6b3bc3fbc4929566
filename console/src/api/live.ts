import { useSyncExternalStore } from 'react'
import { createStore } from '../shell/store.ts'

const paused = createStore(false)

/** Whether everything that moves stands still, as the reader asked. */
export function usePaused(): readonly [boolean, (isPaused: boolean) => void] {
  return [useSyncExternalStore(paused.subscribe, paused.get), paused.set]
}

/** What moves; and lists. */
export const MOVING_MS = 2_000
export const LIST_MS = 15_000
const BACK_OFF_MOST_MS = 60_000

/** For a query that goes on: none in a hidden tab, slower after failures, none while paused. */
export function every(ms: number) {
  return {
    refetchInterval: ({ state }: { state: { fetchFailureCount: number } }) =>
      paused.get() ? false : Math.min(BACK_OFF_MOST_MS, ms * 2 ** Math.min(6, state.fetchFailureCount)),
  } as const
}
