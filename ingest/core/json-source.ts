/**
 * Parsed events and their text, while they are judged: a number beyond what a double holds has lost digits when it is parsed, and
 * only its text still has them.
 */
const sources = new WeakMap<readonly unknown[], () => readonly unknown[]>()

/** `again` parses the same text with another parser, to the same list of events. */
export function rememberSource<Values extends readonly unknown[]>(
  values: Values,
  again: (parse: JsonParser) => readonly unknown[],
): Values {
  sources.set(values, () => again(parseKeepingDigits))
  return values
}

export type JsonParser = (text: string) => unknown

/** The same events with each number that a double does not hold exactly as its text; null when they cannot be parsed so. */
export function eventsWithDigits(values: readonly unknown[]): readonly unknown[] | null {
  try {
    return sources.get(values)?.() ?? null
  } catch (error) {
    // Nested too deep for the stack of a reviver; such an event is refused for its depth.
    if (error instanceof RangeError) return null
    throw error
  }
}

const parseKeepingDigits: JsonParser = (text) =>
  JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER ? (context?.source ?? value) : value,
  )
