import { useSyncExternalStore } from 'react'
import { createKeptStore } from './store.ts'

export type Theme = 'system' | 'light' | 'dark'
const theme = createKeptStore<Theme>('tollgate.theme', 'system')
const zone = createKeptStore<string>('tollgate.zone', 'UTC')
const keys = createKeptStore<'on' | 'off'>('tollgate.keys', 'on')

const guide = createKeptStore<'on' | 'off'>('tollgate.guide', 'on')

/** Applied to the page from the first paint on. */
export function applyTheme(): void {
  const apply = () => {
    if (theme.get() === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme.get()
  }
  apply()
  theme.subscribe(apply)
}

export function useTheme() {
  return [useSyncExternalStore(theme.subscribe, theme.get), theme.set] as const
}

/** The one zone of all times on the page. */
export function useZone() {
  return [useSyncExternalStore(zone.subscribe, zone.get), zone.set] as const
}

/** Whether single keys do something. */
export function useSingleKeys() {
  return [useSyncExternalStore(keys.subscribe, keys.get), keys.set] as const
}

/** Whether an empty Overview is the first-run guide; ended for good by a click, and found again in the palette. */
export function useGuided() {
  return [useSyncExternalStore(guide.subscribe, guide.get) === 'on', () => guide.set('off')] as const
}

export function browserZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}
