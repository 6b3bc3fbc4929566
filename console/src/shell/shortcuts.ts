import { useEffect, useRef } from 'react'
import { useSingleKeys } from './preferences.ts'
import { ROOMS } from './rooms.ts'

type Does = { readonly onPalette: () => void; readonly onKeys: () => void; readonly onGo: (path: string) => void }

/** `g` and a letter within this time are one. */
const SECOND_KEY_MS = 1_200

/** Ctrl-K or ⌘-K always; single keys unless they are switched off, and never while somebody types. */
export function useShortcuts({ onPalette, onKeys, onGo }: Does): void {
  const [singleKeys] = useSingleKeys()
  const pressedG = useRef(0)
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        onPalette()
        return
      }
      if (singleKeys === 'off' || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      if (performance.now() - pressedG.current < SECOND_KEY_MS) {
        pressedG.current = 0
        const room = ROOMS.find(({ letter }) => letter === event.key)
        if (room !== undefined) onGo(room.path)
        return
      }
      if (event.key === 'g') pressedG.current = performance.now()
      if (event.key === '?') onKeys()
      if (event.key === '/') {
        const search = document.querySelector<HTMLInputElement>('input[type="search"]')
        if (search === null) return
        event.preventDefault()
        search.focus()
      }
    }
    document.addEventListener('keydown', press)
    return () => document.removeEventListener('keydown', press)
  }, [onPalette, onKeys, onGo, singleKeys])
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.closest('input, textarea, select, dialog') !== null || target.isContentEditable)
}
