import type { CounterState } from '../../domain/metering/counter-state.ts'

/** One place where a view disagrees with the events. */
export type Difference = {
  readonly view: 'event_log' | 'events' | 'dedupe_filter' | 'usage_windows' | 'counters' | 'positions'
  readonly where: string
  readonly expected: string
  readonly found: string
}

/** Equal for equal states. */
export function showState(state: CounterState | null): string {
  if (state === null) return 'nothing'
  const canonical = state.kind === 'unique' ? { ...state, values: [...state.values].sort() } : state
  return JSON.stringify(canonical, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}
