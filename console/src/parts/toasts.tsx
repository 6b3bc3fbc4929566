import { useSyncExternalStore } from 'react'
import { createStore } from '../shell/store.ts'

type Toast = { readonly id: number; readonly text: string }
const toasts = createStore<readonly Toast[]>([])
let made = 0

/** Says that something was done. What went wrong stands where it happened, not here. */
export function say(text: string): void {
  const toast = { id: ++made, text }
  toasts.set([...toasts.get(), toast])
  setTimeout(() => toasts.set(toasts.get().filter(({ id }) => id !== toast.id)), SHOWN_MS)
}

const SHOWN_MS = 5_000

export function Toasts() {
  const shown = useSyncExternalStore(toasts.subscribe, toasts.get)
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map(({ id, text }) => (
        <div key={id} className="toast">
          {text}
        </div>
      ))}
    </div>
  )
}
