/**
 * Reads JSON (RFC 8259) byte by byte as it comes in and keeps none of it: tells whether it is JSON, how deep and how wide, and
 * where the items of an outermost array end. So a text is bounded before it is parsed. It accepts and refuses what `JSON.parse`
 * does; it does not check that the bytes are UTF-8. Some 2 ns a byte; a byte of memory for each level.
 */
export type JsonScan = {
  /**
   * Reads on. `onItem` is called with the place in `bytes` of the comma or bracket that ends an item of the outermost array. Must
   * not be called after a defect.
   */
  take(bytes: Uint8Array, onItem?: (at: number) => void): JsonScanDefect | undefined
  /** To be called at the end of the bytes: a defect unless they were one whole value. */
  end(): JsonScanDefect | undefined
  /** Values begun so far. */
  values(): number
}

/** `at` is the place in the text, in bytes; null at its end. */
export type JsonScanDefect =
  | { readonly kind: 'malformed'; readonly at: number | null }
  | { readonly kind: 'too_deep' }
  | { readonly kind: 'too_many_values' }

/** Counts the outermost value and all values in its arrays and objects. */
export type JsonScanLimits = { readonly depthMax: number; readonly valuesMax: number }

export function createJsonScan({ depthMax, valuesMax }: JsonScanLimits): JsonScan {
  /** The bracket that opened each level; level 0 has none. */
  const openedBy = new Uint8Array(depthMax + 1)
  let state = VALUE
  let depth = 0
  let values = 0
  let takenBytes = 0
  let isKey = false
  let literal = 'null'
  /** How many characters of a literal were read, or how many digits of a `\u` are still missing. */
  let progress = 0

  function begin(byte: number, at: number): JsonScanDefect | undefined {
    if (++values > valuesMax) return { kind: 'too_many_values' }
    const next = beginningOf(byte)
    if (next === WRONG) return malformedAt(at)
    state = next
    isKey = false
    progress = 1
    if (next === LITERAL) literal = byte === LOWER_T ? 'true' : byte === LOWER_F ? 'false' : 'null'
    if (next !== KEY_OR_END && next !== VALUE_OR_END) return undefined
    if (depth === depthMax) return { kind: 'too_deep' }
    openedBy[++depth] = byte
    return undefined
  }

  function isClosedBy(byte: number): boolean {
    const opener = byte === CLOSE_BRACKET ? OPEN_BRACKET : byte === CLOSE_BRACE ? OPEN_BRACE : WRONG
    if (openedBy[depth] !== opener) return false
    depth--
    state = AFTER
    return true
  }

  const malformedAt = (at: number): JsonScanDefect => ({ kind: 'malformed', at: takenBytes + at })

  function take(bytes: Uint8Array, onItem?: (at: number) => void): JsonScanDefect | undefined {
    const { length } = bytes
    let at = 0
    while (at < length) {
      let byte = bytes[at] as number
      if (state === STRING) {
        while (byte !== QUOTE && byte !== BACKSLASH && byte >= SPACE && ++at < length) byte = bytes[at] as number
        if (at === length) break
        if (byte < SPACE) return malformedAt(at)
        state = byte === BACKSLASH ? ESCAPE : isKey ? COLON : AFTER
        at++
        continue
      }
      if (state <= AFTER && isBlank(byte)) {
        at++
        continue
      }
      switch (state) {
        case VALUE:
        case VALUE_OR_END: {
          if (state === VALUE_OR_END && byte === CLOSE_BRACKET && isClosedBy(byte)) break
          const defect = begin(byte, at)
          if (defect !== undefined) return defect
          break
        }
        case AFTER: {
          const isOfOutermostArray = depth === 1 && openedBy[1] === OPEN_BRACKET
          if (byte === COMMA && depth > 0) state = openedBy[depth] === OPEN_BRACKET ? VALUE : KEY
          else if (!isClosedBy(byte)) return malformedAt(at)
          if (isOfOutermostArray) onItem?.(at)
          break
        }
        case KEY:
        case KEY_OR_END:
          if (state === KEY_OR_END && byte === CLOSE_BRACE && isClosedBy(byte)) break
          if (byte !== QUOTE) return malformedAt(at)
          isKey = true
          state = STRING
          break
        case COLON:
          if (byte !== COLON_SIGN) return malformedAt(at)
          state = VALUE
          break
        case ESCAPE:
          if (byte !== LOWER_U && !ESCAPED.includes(byte)) return malformedAt(at)
          progress = 4
          state = byte === LOWER_U ? HEX : STRING
          break
        case HEX:
          if (!isHexDigit(byte)) return malformedAt(at)
          if (--progress === 0) state = STRING
          break
        case LITERAL:
          if (byte !== literal.charCodeAt(progress)) return malformedAt(at)
          if (++progress === literal.length) state = AFTER
          break
        default: {
          const next = numberAfter(state, byte)
          if (next === WRONG) return malformedAt(at)
          state = next
          // The byte that ends a number is read again as what it is.
          if (next === AFTER) continue
        }
      }
      at++
    }
    takenBytes += length
    return undefined
  }

  return {
    take,
    values: () => values,
    end: () => (depth === 0 && (state === AFTER || numberAfter(state, SPACE) === AFTER) ? undefined : { kind: 'malformed', at: null }),
  }
}

const WRONG = -1
// Blanks may stand in the states up to AFTER.
const VALUE = 0
const VALUE_OR_END = 1
const KEY = 2
const KEY_OR_END = 3
const COLON = 4
const AFTER = 5
const STRING = 6
const ESCAPE = 7
const HEX = 8
const LITERAL = 9
const MINUS = 10
const ZERO = 11
const INTEGER = 12
const POINT = 13
const FRACTION = 14
const EXPONENT = 15
const EXPONENT_SIGN = 16
const EXPONENT_DIGITS = 17

const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const COLON_SIGN = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const LOWER_F = 0x66
const LOWER_N = 0x6e
const LOWER_T = 0x74
const LOWER_U = 0x75
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
/** Sets the bit that tells a lower-case letter from its capital. */
const LOWER = 0x20
const ESCAPED: readonly number[] = [...'"\\/bfnrt'].map((character) => character.charCodeAt(0))

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function isHexDigit(byte: number): boolean {
  const letter = byte | LOWER
  return (byte >= DIGIT_0 && byte <= DIGIT_9) || (letter >= 0x61 && letter <= 0x66)
}

/** The state that the first byte of a value leads to. */
function beginningOf(byte: number): number {
  switch (byte) {
    case QUOTE:
      return STRING
    case OPEN_BRACE:
      return KEY_OR_END
    case OPEN_BRACKET:
      return VALUE_OR_END
    case LOWER_T:
    case LOWER_F:
    case LOWER_N:
      return LITERAL
    case 0x2d:
      return MINUS
    case DIGIT_0:
      return ZERO
    default:
      return byte > DIGIT_0 && byte <= DIGIT_9 ? INTEGER : WRONG
  }
}

/** The state after a byte within a number; AFTER when the number ended before it. */
function numberAfter(state: number, byte: number): number {
  const isDigit = byte >= DIGIT_0 && byte <= DIGIT_9
  switch (state) {
    case MINUS:
      return isDigit ? beginningOf(byte) : WRONG
    case POINT:
      return isDigit ? FRACTION : WRONG
    case EXPONENT:
      return isDigit ? EXPONENT_DIGITS : byte === 0x2b || byte === 0x2d ? EXPONENT_SIGN : WRONG
    case EXPONENT_SIGN:
      return isDigit ? EXPONENT_DIGITS : WRONG
    case ZERO:
    case INTEGER:
      if (isDigit) return state === INTEGER ? INTEGER : WRONG
      if (byte === 0x2e) return POINT
      return (byte | LOWER) === 0x65 ? EXPONENT : AFTER
    case FRACTION:
      if (isDigit) return FRACTION
      return (byte | LOWER) === 0x65 ? EXPONENT : AFTER
    case EXPONENT_DIGITS:
      return isDigit ? EXPONENT_DIGITS : AFTER
    default:
      return WRONG
  }
}
