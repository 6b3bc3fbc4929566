import { type Json, objectOf } from './json.ts'

/** Reads the JSON of an answer's events out of its bytes, however those are cut. */
export type EventCutter = {
  readonly kind: 'sse' | 'lines' | 'whole'
  /** `piece` is the bytes of the event; those of an event without JSON go to `other`. */
  add(bytes: Uint8Array, each: Each, other?: Other): void
  end(each: Each, other?: Other): void
}
type Each = (json: Json, piece: Uint8Array) => void
type Other = (piece: Uint8Array) => void

/** An answer that is larger is passed on and not read. */
const HELD_BYTES_MAX = 16_777_216
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

export function createEventCutter(kind: EventCutter['kind']): EventCutter {
  const decoder = new TextDecoder()
  let held: Uint8Array<ArrayBufferLike> = new Uint8Array(0)
  let isTooLarge = false

  function tell(piece: Uint8Array, each: Each, other: Other): void {
    const json = parsed(kind === 'sse' ? dataOf(decoder.decode(piece)) : decoder.decode(piece))
    if (json === null) other(piece)
    else each(json, piece)
  }

  return {
    kind,
    add(bytes, each, other = () => undefined) {
      if (isTooLarge) return other(bytes)
      held = held.length === 0 ? bytes : joined(held, bytes)
      if (kind !== 'whole') {
        let from = 0
        for (let end = endOf(held, from); end > 0; end = endOf(held, from)) {
          tell(held.subarray(from, end), each, other)
          from = end
        }
        held = held.slice(from)
      }
      if (held.length <= HELD_BYTES_MAX) return
      isTooLarge = true
      other(held)
      held = new Uint8Array(0)
    },
    end(each, other = () => undefined) {
      if (held.length > 0) tell(held, each, other)
      held = new Uint8Array(0)
    },
  }

  /** The index behind the event that begins at `from`; 0 while its end is not there. */
  function endOf(bytes: Uint8Array, from: number): number {
    for (let at = bytes.indexOf(LINE_FEED, from); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
      if (kind === 'lines' || bytes[at + 1] === LINE_FEED) return at + (kind === 'lines' ? 1 : 2)
      if (bytes[at + 1] === CARRIAGE_RETURN && bytes[at + 2] === LINE_FEED) return at + 3
    }
    return 0
  }
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length)
  both.set(left)
  both.set(right, left.length)
  return both
}

/** The lines of `data:` of one event. */
function dataOf(event: string): string {
  const lines = event.split(/\r?\n/).filter((line) => line.startsWith('data:'))
  return lines.map((line) => line.slice(5).trimStart()).join('\n')
}

function parsed(text: string): Json | null {
  if (text === '' || text === '[DONE]') return null
  try {
    const json = JSON.parse(text) as unknown
    return typeof json === 'object' && json !== null ? objectOf(Array.isArray(json) ? json.at(-1) : json) : null
  } catch {
    return null
  }
}
