import { createBoundedMap } from '../../../base/bounds/bounded-map.ts'
import type { Clock } from '../../../base/clock.ts'
import { HTTP_BOUNDS } from '../http-bounds.ts'

/** Counts wrong keys by the address that they come from. */
export type WrongKeys = {
  count(address: string): void
  /** How long the address must wait before a key of its own is looked up again; 0 when it need not wait. */
  waitMs(address: string): number
}

const WINDOW_MS = 60_000

export function createWrongKeys(clock: Clock, most: number): WrongKeys {
  const windows = createBoundedMap<string, { readonly startMs: number; wrong: number }>(HTTP_BOUNDS.wrongKeyAddresses.most)

  function windowOf(address: string) {
    const window = windows.get(addressGroup(address))
    return window === undefined || clock.now() - window.startMs >= WINDOW_MS ? undefined : window
  }

  return {
    count(address) {
      const window = windowOf(address)
      if (window === undefined) windows.set(addressGroup(address), { startMs: clock.now(), wrong: 1 })
      else window.wrong++
    },
    waitMs(address) {
      const window = windowOf(address)
      return window === undefined || window.wrong < most ? 0 : window.startMs + WINDOW_MS - clock.now()
    },
  }
}

/** The owner of an IPv6 address has the 2^64 addresses beside it too. */
function addressGroup(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  while (tail !== undefined && groups.length + rest.length < 8) groups.push('0')
  return [...groups, ...rest].slice(0, 4).join(':')
}
